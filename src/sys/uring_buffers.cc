#include "sys/uring_buffers.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "sys/number_text.h"
#include "sys/pidfd.h"
#include "sys/proc_file.h"
#include "sys/process_status.h"

namespace stillframe {
namespace {

constexpr std::string_view kRing = "anon_inode:[io_uring]";
constexpr int kTries = 50;
constexpr timespec kBetweenTries{.tv_sec = 0, .tv_nsec = 200'000};

std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

AddressRange PagesOf(uint64_t begin, uint64_t size) {
  const uint64_t mask = kPageSize.count - 1;
  return {TargetAddress{begin & ~mask}, TargetAddress{(begin + size + mask) & ~mask}};
}

// "    0: 0x7fead5714000/65536", or "    0: <none>".
bool ParseBuffer(std::string_view line, std::vector<AddressRange>* buffers) {
  uint64_t index = 0;
  if (!TakeNumber(&line, &index) || !TakeCharacter(&line, ':')) return false;
  if (line == " <none>") return true;
  if (!line.starts_with(" 0x")) return false;
  uint64_t begin = 0;
  uint64_t size = 0;
  if (!TakeNumber(&line, &begin) || !TakeCharacter(&line, '/')) return false;
  if (!TakeNumber(&line, &size) || !line.empty()) return false;
  if (begin > UINT64_MAX - size - kPageSize.count) return false;
  // A buffer of the kernel's own has no address.
  if (begin != 0 && size != 0) buffers->push_back(PagesOf(begin, size));
  return true;
}

// "task/TID/KIND/FD", below /proc/PID.
class DescriptorPath {
 public:
  DescriptorPath(const char* kind, const UringDescriptor& ring) {
    std::snprintf(text_.data(), text_.size(), "task/%d/%s/%d", ring.thread, kind, ring.fd);
  }
  const char* c_str() const { return text_.data(); }

 private:
  std::array<char, 64> text_{};
};

bool IsRing(int directory, const UringDescriptor& descriptor) {
  std::array<char, 64> name{};
  const DescriptorPath path("fd", descriptor);
  const ssize_t n = readlinkat(directory, path.c_str(), name.data(), name.size());
  return n > 0 && std::string_view(name.data(), static_cast<size_t>(n)) == kRing;
}

Result<void> FindInTableOf(int directory, pid_t thread, std::vector<UringDescriptor>* rings) {
  NumberedEntries descriptors(directory, TaskPath(thread, "fd").c_str());
  // The list can't tell descriptor 0 from its end, so that one is asked for by itself.
  int fd = 0;
  do {
    if (IsRing(directory, {thread, fd})) rings->push_back({thread, fd});
    fd = descriptors.Next();
  } while (fd != 0);
  if (descriptors.error() == 0 || descriptors.error() == ENOENT) return {};
  return FailErrno(descriptors.error(), "listing the target's descriptors");
}

// One thread of each descriptor table; most programs have one table. A leader that has exited has
// none, though its threads live.
std::vector<pid_t> ThreadPerTable(int directory) {
  std::vector<pid_t> threads;
  NumberedEntries all(directory, "task");
  while (const pid_t tid = all.Next()) {
    const auto stat = ReadStat(directory, TaskPath(tid, "stat").c_str());
    if (!stat || stat->dead()) continue;
    const bool seen = std::ranges::any_of(
        threads, [tid](pid_t other) { return SameDescriptorTable(tid, other) == true; });
    if (!seen) threads.push_back(tid);
  }
  return threads;
}

Result<void> AddRing(int directory, const UringDescriptor& ring,
                     std::vector<AddressRange>* buffers) {
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) nanosleep(&kBetweenTries, nullptr);
    const DescriptorPath path("fdinfo", ring);
    const auto text = ReadFileAt(directory, path.c_str(), "reading the state of an io_uring");
    if (!IsRing(directory, ring)) return {};  // closed meanwhile
    if (!text) return tl::unexpected(text.error());
    if (const auto found = ParseUringBuffers(*text)) {
      buffers->insert(buffers->end(), found->begin(), found->end());
      return {};
    }
  }
  return Fail(ErrorCode::kLimit,
              "the buffers registered with io_uring descriptor " + std::to_string(ring.fd) +
                  " can't be listed: the ring is too busy",
              "try again");
}

}  // namespace

std::optional<std::vector<AddressRange>> ParseUringBuffers(std::string_view fdinfo) {
  constexpr std::string_view kHeading = "UserBufs:\t";
  while (!fdinfo.empty()) {
    std::string_view line = TakeLine(&fdinfo);
    if (!line.starts_with(kHeading)) continue;
    line.remove_prefix(kHeading.size());
    uint64_t count = 0;
    if (!TakeNumber(&line, &count) || !line.empty()) return std::nullopt;
    std::vector<AddressRange> buffers;
    for (uint64_t i = 0; i < count; ++i) {
      if (!ParseBuffer(TakeLine(&fdinfo), &buffers)) return std::nullopt;
    }
    return buffers;
  }
  return std::nullopt;
}

Result<std::vector<UringDescriptor>> FindUrings(int directory) {
  std::vector<UringDescriptor> rings;
  for (const pid_t thread : ThreadPerTable(directory)) {
    STILLFRAME_TRY(FindInTableOf(directory, thread, &rings));
  }
  return rings;
}

Result<std::vector<AddressRange>> ReadUringBuffers(int directory,
                                                   std::span<const UringDescriptor> rings) {
  std::vector<AddressRange> buffers;
  for (const UringDescriptor& ring : rings) STILLFRAME_TRY(AddRing(directory, ring, &buffers));
  return buffers;
}

}  // namespace stillframe
