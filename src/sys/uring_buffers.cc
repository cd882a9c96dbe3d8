#include "sys/uring_buffers.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "sys/proc_file.h"

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

// Takes a number and what must follow it off the front.
bool TakeNumber(std::string_view* text, int base, char follows, uint64_t* number) {
  const auto [end, error] =
      std::from_chars(text->data(), text->data() + text->size(), *number, base);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  if (follows == '\0') return text->empty();
  if (!text->starts_with(follows)) return false;
  text->remove_prefix(1);
  return true;
}

AddressRange PagesOf(uint64_t begin, uint64_t size) {
  const uint64_t mask = kPageSize.count - 1;
  return {TargetAddress{begin & ~mask}, TargetAddress{(begin + size + mask) & ~mask}};
}

// "    0: 0x7fead5714000/65536", or "    0: <none>".
bool ParseBuffer(std::string_view line, std::vector<AddressRange>* buffers) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  uint64_t index = 0;
  if (!TakeNumber(&line, 10, ':', &index)) return false;
  if (line == " <none>") return true;
  constexpr std::string_view kHex = " 0x";
  if (!line.starts_with(kHex)) return false;
  line.remove_prefix(kHex.size());
  uint64_t begin = 0;
  uint64_t size = 0;
  if (!TakeNumber(&line, 16, '/', &begin) || !TakeNumber(&line, 10, '\0', &size)) return false;
  if (begin > UINT64_MAX - size - kPageSize.count) return false;
  // A buffer of the kernel's own has no address.
  if (begin != 0 && size != 0) buffers->push_back(PagesOf(begin, size));
  return true;
}

bool IsRing(int directory, pid_t fd) {
  std::array<char, 64> name{};
  const ssize_t n =
      readlinkat(directory, ProcPath("fd/", fd, "").c_str(), name.data(), name.size());
  return n > 0 && std::string_view(name.data(), static_cast<size_t>(n)) == kRing;
}

Result<void> AddRing(int directory, pid_t fd, std::vector<AddressRange>* buffers) {
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) nanosleep(&kBetweenTries, nullptr);
    const ProcPath path("fdinfo/", fd, "");
    const auto text = ReadFileAt(directory, path.c_str(), "reading the state of an io_uring");
    if (!text) {
      if (!IsRing(directory, fd)) return {};  // closed meanwhile
      return tl::unexpected(text.error());
    }
    if (const auto found = ParseUringBuffers(*text)) {
      buffers->insert(buffers->end(), found->begin(), found->end());
      return {};
    }
  }
  return Fail(ErrorCode::kLimit,
              "the buffers registered with io_uring descriptor " + std::to_string(fd) +
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
    if (!TakeNumber(&line, 10, '\0', &count)) return std::nullopt;
    std::vector<AddressRange> buffers;
    for (uint64_t i = 0; i < count; ++i) {
      if (!ParseBuffer(TakeLine(&fdinfo), &buffers)) return std::nullopt;
    }
    return buffers;
  }
  return std::nullopt;
}

bool HoldsUring(int directory) {
  NumberedEntries descriptors(directory, "fd");
  // The list can't tell descriptor 0 from its end, so that one is asked for by itself.
  if (IsRing(directory, 0)) return true;
  while (const pid_t fd = descriptors.Next()) {
    if (IsRing(directory, fd)) return true;
  }
  return false;
}

Result<std::vector<AddressRange>> ReadUringBuffers(int directory) {
  std::vector<AddressRange> buffers;
  NumberedEntries descriptors(directory, "fd");
  if (IsRing(directory, 0)) STILLFRAME_TRY(AddRing(directory, 0, &buffers));
  while (const pid_t fd = descriptors.Next()) {
    if (IsRing(directory, fd)) STILLFRAME_TRY(AddRing(directory, fd, &buffers));
  }
  if (descriptors.error() != 0 && descriptors.error() != ENOENT) {
    return FailErrno(descriptors.error(), "listing the target's descriptors");
  }
  return buffers;
}

}  // namespace stillframe
