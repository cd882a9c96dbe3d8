#include "sys/process_memory.h"

#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace stillframe {
namespace {

// Carries on with pread where process_vm_readv gave up, from byte `done` of `to` on.
ReadOutcome ReadThroughMemFile(int memory_fd, TargetAddress from, std::span<const iovec> to,
                               uint64_t done) {
  uint64_t skip = done;
  for (const iovec& part : to) {
    if (skip >= part.iov_len) {
      skip -= part.iov_len;
      continue;
    }
    while (skip < part.iov_len) {
      const ssize_t n = pread(memory_fd, static_cast<std::byte*>(part.iov_base) + skip,
                              part.iov_len - skip, static_cast<off_t>(from.value + done));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return {.copied = {done}, .error = n < 0 ? errno : ESRCH};
      skip += static_cast<uint64_t>(n);
      done += static_cast<uint64_t>(n);
    }
    skip = 0;
  }
  return {.copied = {done}, .error = 0};
}

}  // namespace

ReadOutcome ReadProcessMemory(pid_t pid, int memory_fd, TargetAddress from,
                              std::span<const iovec> to) {
  uint64_t wanted = 0;
  for (const iovec& part : to) wanted += part.iov_len;
  const iovec remote{.iov_base = reinterpret_cast<void*>(from.value), .iov_len = wanted};
  const ssize_t n = process_vm_readv(pid, to.data(), to.size(), &remote, 1, 0);
  const uint64_t done = n < 0 ? 0 : static_cast<uint64_t>(n);
  if (done == wanted) return {.copied = {done}, .error = 0};
  // A short count hides its reason: only EFAULT can stop it in the middle.
  const int error = n < 0 ? errno : EFAULT;
  if (error == ESRCH || memory_fd < 0) return {.copied = {done}, .error = error};
  return ReadThroughMemFile(memory_fd, from, to, done);
}

ReadOutcome ReadMemoryFile(int memory_fd, TargetAddress from, std::span<const iovec> to) {
  return ReadThroughMemFile(memory_fd, from, to, 0);
}

}  // namespace stillframe
