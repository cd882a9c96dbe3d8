#include "fault/fault_channel.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "base/fail_point.h"
#include "sys/kernel_constants.h"
#include "sys/userfaultfd.h"

namespace stillframe {
namespace {

constexpr uint64_t kNeeded = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_EVENT_REMAP |
                             UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP |
                             UFFD_FEATURE_THREAD_ID;
constexpr uint64_t kWithShared = kNeeded | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;

// Faults that were in flight while the mappings changed make these calls fail for a moment.
constexpr int kArmTries = 1000;

void Add(const uffd_msg& message, FaultMessages* out) {
  switch (message.event) {
    case UFFD_EVENT_PAGEFAULT:
      out->faults[out->fault_count++] = {
          .address = {message.arg.pagefault.address},
          .tid = static_cast<pid_t>(message.arg.pagefault.feat.ptid)};
      break;
    case UFFD_EVENT_REMAP: {
      const auto& remap = message.arg.remap;
      out->events[out->event_count++] = {.kind = MemoryEvent::Kind::kRemap,
                                         .range = {{remap.from}, {remap.from + remap.len}},
                                         .moved_to = {remap.to}};
      break;
    }
    case UFFD_EVENT_REMOVE:
    case UFFD_EVENT_UNMAP:
      out->events[out->event_count++] = {
          .kind = message.event == UFFD_EVENT_REMOVE ? MemoryEvent::Kind::kRemove
                                                     : MemoryEvent::Kind::kUnmap,
          .range = {{message.arg.remove.start}, {message.arg.remove.end}},
          .moved_to = {}};
      break;
    default:
      break;  // nothing else was asked for
  }
}

OpenOutcome ToOpenOutcome(const UffdResult& result) {
  switch (result.outcome) {
    case UffdOutcome::kDone:
      return OpenOutcome::kOpened;
    case UffdOutcome::kChanging:
      return OpenOutcome::kChanging;
    default:
      return OpenOutcome::kGone;
  }
}

}  // namespace

Result<FaultChannel> FaultChannel::Connect(int userfaultfd, bool mark_holes) {
  bool shared = true;
  UffdResult api = UffdApi(userfaultfd, kWithShared | (mark_holes ? kUffdFeatureWpUnpopulated : 0));
  if (mark_holes && api.outcome == UffdOutcome::kRefused) {
    mark_holes = false;
    api = UffdApi(userfaultfd, kWithShared);
  }
  if (api.outcome == UffdOutcome::kRefused) {
    shared = false;
    api = UffdApi(userfaultfd, kNeeded);
  }
  if (!api.ok()) {
    return FailErrno(api.error, "agreeing with the kernel on userfaultfd write-protection",
                     "this needs Linux 5.13 or later on x86-64; see 'stillframe doctor'",
                     ErrorCode::kUnsupported);
  }
  FailPoint("uffd.api");
  const std::string path = "/proc/self/fdinfo/" + std::to_string(userfaultfd);
  UniqueFd fdinfo(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return FaultChannel(userfaultfd, std::move(fdinfo), shared, mark_holes);
}

Result<FaultChannel> FaultChannel::ConnectAsync(int userfaultfd) {
  const UffdResult api = UffdApi(userfaultfd, UFFD_FEATURE_PAGEFAULT_FLAG_WP | kUffdFeatureWpAsync);
  if (!api.ok()) {
    return FailErrno(api.error, "asking the kernel for asynchronous write-protection",
                     "this needs Linux 6.7 or later", ErrorCode::kUnsupported);
  }
  return FaultChannel(userfaultfd, UniqueFd(), false, false);
}

RegisterOutcome FaultChannel::Register(AddressRange range) const {
  const UffdResult result = UffdRegisterWriteProtect(fd_, range);
  FailPoint("uffd.register");
  switch (result.outcome) {
    case UffdOutcome::kDone:
      return RegisterOutcome::kDone;
    case UffdOutcome::kBusy:
      return RegisterOutcome::kTaken;
    case UffdOutcome::kGone:
    case UffdOutcome::kNoMapping:
      return RegisterOutcome::kGone;
    default:
      return RegisterOutcome::kRefused;
  }
}

bool FaultChannel::Unregister(AddressRange range) const {
  // What fails here is undone by the descriptor's close, only less gently.
  const bool changed_over = UffdRegisterMissing(fd_, range).ok();
  FailPoint("uffd.change-over");
  if (!changed_over) return false;
  const bool done = UffdUnregister(fd_, range).ok();
  FailPoint("uffd.unregister");
  return done;
}

bool FaultChannel::UnregisterFile(AddressRange range) const {
  const bool done = UffdUnregister(fd_, range).ok();
  FailPoint("uffd.unregister-file");
  return done;
}

Result<void> FaultChannel::Arm(AddressRange range) const {
  UffdResult result;
  for (int i = 0; i < kArmTries; ++i) {
    result = UffdProtect(fd_, range);
    if (result.outcome != UffdOutcome::kChanging) break;
    usleep(100);
  }
  FailPoint("uffd.arm");
  if (result.ok()) return {};
  auto failure =
      FailErrno(result.error, "write-protecting memory of the target", {}, ErrorCode::kUnsupported);
  failure.value().address = range.begin;
  return failure;
}

OpenOutcome FaultChannel::Open(AddressRange range) const {
  const UffdResult result = UffdUnprotect(fd_, range);
  FailPoint("uffd.open");
  return ToOpenOutcome(result);
}

OpenOutcome FaultChannel::OpenQuietly(AddressRange range) const {
  const UffdResult result = UffdUnprotectQuietly(fd_, range);
  FailPoint("uffd.open-quietly");
  return ToOpenOutcome(result);
}

void FaultChannel::Wake(AddressRange range) const {
  UffdWake(fd_, range);
  FailPoint("uffd.wake");
}

bool FaultChannel::IsCalm() const {
  // The kernel looks for unread events first, and at the range, which is none, second.
  return UffdUnprotect(fd_, {}).outcome == UffdOutcome::kRefused;
}

std::optional<size_t> FaultChannel::PendingFaults() const {
  if (!fdinfo_) return std::nullopt;
  char text[512];
  const ssize_t n = pread(fdinfo_.get(), text, sizeof(text), 0);
  if (n <= 0) return std::nullopt;
  const std::string_view info(text, static_cast<size_t>(n));
  constexpr std::string_view kKey = "pending:\t";
  const size_t at = info.find(kKey);
  if (at == std::string_view::npos) return std::nullopt;
  size_t pending = 0;
  const char* begin = info.data() + at + kKey.size();
  if (std::from_chars(begin, info.data() + info.size(), pending).ec != std::errc()) {
    return std::nullopt;
  }
  return pending;
}

FaultMessages FaultChannel::Read(size_t limit) const {
  FaultMessages out;
  std::array<uffd_msg, FaultMessages::kMost> messages;
  const size_t n = UffdRead(fd_, std::span(messages).first(std::min(limit, messages.size())));
  FailPoint("uffd.read");
  for (size_t i = 0; i < n; ++i) Add(messages[i], &out);
  return out;
}

}  // namespace stillframe
