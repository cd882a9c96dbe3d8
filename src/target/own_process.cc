#include "target/own_process.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/fail_point.h"
#include "sys/process_memory.h"
#include "target/attached_process.h"
#include "target/pending_discards.h"
#include "target/state_capture.h"

namespace stillframe {
namespace {

std::string ToText(AddressRange range) {
  std::array<char, 40> text;
  char* at = std::to_chars(text.data(), text.data() + text.size(), range.begin.value, 16).ptr;
  *at++ = '-';
  at = std::to_chars(at, text.data() + text.size(), range.end.value, 16).ptr;
  return {text.data(), at};
}

Result<UniqueFd> MakeUserfaultfd() {
  constexpr int kFlags = O_CLOEXEC | O_NONBLOCK;
  UniqueFd fd(static_cast<int>(syscall(SYS_userfaultfd, kFlags)));
  if (fd) return fd;
  const int refused = errno;
  if (refused != EPERM && refused != ENOSYS) return FailErrno(refused, "userfaultfd(2)");
  const UniqueFd device(open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
  if (device) fd.reset(ioctl(device.get(), USERFAULTFD_IOC_NEW, kFlags));
  if (fd) return fd;
  return FailErrno(refused, "userfaultfd(2), and opening /dev/userfaultfd instead",
                   "run as root, or give yourself access to /dev/userfaultfd");
}

Result<UniqueFd> OpenSelf(const char* path, int flags) {
  UniqueFd fd(open(path, flags | O_CLOEXEC));
  if (!fd) return FailErrno(errno, std::string("opening ") + path);
  return fd;
}

// Sorts the ranges, and checks each by itself and against its neighbour.
Result<void> CheckShape(std::vector<AddressRange>* ranges) {
  if (ranges->empty()) return Fail(ErrorCode::kUsage, "saving own memory: no range was named");
  std::ranges::sort(*ranges, {}, &AddressRange::begin);
  TargetAddress last;
  for (const AddressRange& range : *ranges) {
    const bool aligned =
        range.begin.value % kPageSize.count == 0 && range.end.value % kPageSize.count == 0;
    if (!aligned || range.empty() || range.begin < last) {
      return Fail(ErrorCode::kUsage,
                  "saving own memory: range " + ToText(range) +
                      (aligned && !range.empty() ? " overlaps another one"
                                                 : " does not consist of whole pages"));
    }
    last = range.end;
  }
  return {};
}

// Both are in the order of addresses.
Result<void> CheckMapped(const std::vector<AddressRange>& ranges,
                         const std::vector<Mapping>& mappings) {
  for (const AddressRange& range : ranges) {
    TargetAddress at = range.begin;
    for (const Mapping& mapping : mappings) {
      if (mapping.range.Contains(at)) at = mapping.range.end;
    }
    if (at < range.end) {
      return Fail(ErrorCode::kUsage,
                  "saving own memory: range " + ToText(range) + " is not all mapped");
    }
  }
  return {};
}

}  // namespace

OwnProcess::OwnProcess(OwnFds fds, std::vector<AddressRange> ranges, Quiesce quiesce)
    : pid_(getpid()),
      fds_(std::move(fds)),
      ranges_(std::move(ranges)),
      quiesce_(std::move(quiesce)) {}

OwnProcess::~OwnProcess() { OwnProcess::Resume(); }

Result<std::vector<Mapping>> OwnProcess::ReadMappings(bool details) const {
  STILLFRAME_ASSIGN(const std::vector<Mapping> all,
                    ReadProcessMappings(fds_.directory.get(), pid_, details));
  std::vector<Mapping> inside;
  for (const AddressRange& range : ranges_) {
    for (const Mapping& mapping : all) {
      const AddressRange part = Intersect(mapping.range, range);
      if (part.empty()) continue;
      inside.push_back(mapping);
      inside.back().range = part;
      if (mapping.has_file()) inside.back().file_offset += (part.begin - mapping.range.begin).count;
    }
  }
  return inside;
}

// By way of the kernel: a page that isn't there is an error then, and not a SIGSEGV.
ReadOutcome OwnProcess::Read(TargetAddress from, std::span<const iovec> to) const {
  return ReadProcessMemory(pid_, fds_.memory.get(), from, to);
}

size_t OwnProcess::PendingDiscards(std::span<AddressRange> ranges) const {
  return FindPendingDiscards(fds_.directory.get(), ranges);
}

Result<void> OwnProcess::Pause(const PauseOptions& options) {
  if (options.for_fork) return tl::unexpected(Fork().error());
  if (paused_) return {};
  asked_ = MonotonicClock().Now();
  if (quiesce_.quiesce) STILLFRAME_TRY(quiesce_.quiesce());
  times_ = {.stop = MonotonicClock().Now() - asked_};
  paused_ = true;
  FailPoint("pause.quiesced");
  return {};
}

// Who rests is in no call.
Result<void> OwnProcess::AwaitSystemCalls(const PauseOptions& options) {
  if (paused_) return {};
  STILLFRAME_TRY(Pause(options));
  return Resume();
}

Result<std::unique_ptr<FrozenMemory>> OwnProcess::Fork() {
  return Fail(ErrorCode::kUnsupported, "one's own process can't be saved through a fork",
              "use the way wp");
}

Result<void> OwnProcess::Resume() {
  if (!paused_) return {};
  const TimePoint begin = MonotonicClock().Now();
  if (quiesce_.resume) quiesce_.resume();
  const TimePoint end = MonotonicClock().Now();
  times_.resume = end - begin;
  pause_ = end - asked_;
  paused_ = false;
  return {};
}

Result<ProcessState> OwnProcess::CaptureState() {
  return CaptureRunningState(fds_.directory.get(), pid_);
}

Duration OwnProcess::PauseDuration() const {
  return paused_ ? MonotonicClock().Now() - asked_ : pause_;
}

Result<std::unique_ptr<Target>> OpenOwnProcess(std::vector<AddressRange> ranges, Quiesce quiesce) {
  STILLFRAME_TRY(CheckShape(&ranges));
  OwnFds fds;
  STILLFRAME_ASSIGN(fds.directory, OpenSelf("/proc/self", O_RDONLY | O_DIRECTORY));
  STILLFRAME_ASSIGN(fds.memory, OpenSelf("/proc/self/mem", O_RDONLY));
  STILLFRAME_ASSIGN(fds.pagemap, OpenSelf("/proc/self/pagemap", O_RDONLY));
  STILLFRAME_ASSIGN(const std::vector<Mapping> mappings,
                    ReadProcessMappings(fds.directory.get(), getpid(), false));
  STILLFRAME_TRY(CheckMapped(ranges, mappings));
  STILLFRAME_ASSIGN(fds.userfaultfd, MakeUserfaultfd());
  return std::make_unique<OwnProcess>(std::move(fds), std::move(ranges), std::move(quiesce));
}

}  // namespace stillframe
