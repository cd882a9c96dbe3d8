#include "plain_copy.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "support/machine.h"

namespace stillframe::bench {
namespace {

void WriteAll(int output, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t n = write(output, data, size);
    if (n < 0) Die("writing the plain copy");
    data += n;
    size -= static_cast<size_t>(n);
  }
}

}  // namespace

Duration CopyPlainly(pid_t pid, AddressRange range, int output, Bytes step) {
  std::vector<char> buffer(step.count);
  const TimePoint begin = MonotonicClock().Now();
  for (TargetAddress at = range.begin; at < range.end;) {
    const size_t want = std::min(step, range.end - at).count;
    const iovec local{.iov_base = buffer.data(), .iov_len = want};
    const iovec remote{.iov_base = reinterpret_cast<void*>(at.value), .iov_len = want};
    const ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    if (n <= 0) Die("reading for the plain copy");
    WriteAll(output, buffer.data(), static_cast<size_t>(n));
    at = at + Bytes{static_cast<uint64_t>(n)};
  }
  return MonotonicClock().Now() - begin;
}

}  // namespace stillframe::bench
