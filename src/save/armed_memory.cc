#include "save/armed_memory.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "base/clock.h"
#include "base/fail_point.h"
#include "sys/mapped_file.h"
#include "sys/pagemap.h"

namespace stillframe {
namespace {

// So much at a time holds the mmap lock for a third of a millisecond.
constexpr Bytes kReleaseStep = MiB(16);
// In huge reserved ranges the steps grow, or the walk itself would take seconds.
constexpr uint64_t kMostSteps = 65536;
constexpr Duration kReleaseBurst = std::chrono::microseconds(100);

std::string Describe(const Mapping& mapping) {
  char text[64];
  std::snprintf(text, sizeof(text), "0x%" PRIx64 "-0x%" PRIx64, mapping.range.begin.value,
                mapping.range.end.value);
  return mapping.name.empty() ? std::string(text) : std::string(text) + " (" + mapping.name + ")";
}

// The pages of `range`, as numbers of the region that it lies in.
PageRun PagesOf(const Region& region, AddressRange range) {
  const AddressRange part = Intersect(range, region.range);
  return {region.first + ToPages(part.begin - region.range.begin), part.pages()};
}

}  // namespace

Result<void> ArmedMemory::Register(std::vector<PlannedMapping>* plan) {
  for (PlannedMapping& planned : *plan) {
    if (planned.treatment != Treatment::kArm) continue;
    const AddressRange range = planned.mapping.range;
    const auto known = registered_.find(range.begin);
    if (known != registered_.end() && known->second == range.end) continue;
    switch (channel_.Register(range)) {
      case RegisterOutcome::kDone:
        registered_[range.begin] = range.end;
        break;
      case RegisterOutcome::kRefused:
        planned.treatment = Treatment::kCopy;
        break;
      case RegisterOutcome::kGone:
        STILLFRAME_TRY(target_.CheckAlive());
        planned.treatment = Treatment::kCopy;
        break;
      case RegisterOutcome::kTaken:
        return Fail(ErrorCode::kUnsupported,
                    "process " + std::to_string(target_.pid()) + " has a userfaultfd of its own on " +
                        Describe(planned.mapping),
                    "another save of it may be under way, or the program tracks its memory itself");
    }
  }
  return {};
}

MappedPtr<TrackedMemory> ArmedMemory::MakeTracked(std::span<const PlannedMapping> plan) {
  std::vector<Region> regions;
  for (const PlannedMapping& planned : plan) {
    if (planned.treatment != Treatment::kArm) continue;
    regions.push_back({.range = planned.mapping.range,
                       .first = {},
                       .page_size = planned.mapping.kernel_page_size,
                       .shared = planned.mapping.shared,
                       .mergeable = planned.mapping.mergeable});
  }
  return MakeMapped<TrackedMemory>(RegionSet(std::move(regions)));
}

Result<void> ArmedMemory::Arm(std::span<const PlannedMapping> plan, TrackedMemory* tracked) {
  for (const Region& region : tracked->regions.regions()) STILLFRAME_TRY(ArmRange(region.range));
  // After all is armed: what a worker of the kernel populates from here on is no page of the instant, and is not armed.
  auto region = tracked->regions.regions().begin();
  for (const PlannedMapping& planned : plan) {
    if (planned.treatment != Treatment::kArm) continue;
    STILLFRAME_TRY(NotePresent(*region, planned, tracked));
    ++region;
  }
  FailPoint("save.presence");
  return {};
}

Result<void> ArmedMemory::ArmRange(AddressRange range) {
  Result<void> armed = channel_.Arm(range);
  if (armed || armed.error().code == ErrorCode::kTargetGone) return armed;
  // The mapping that was registered went, and one like it came to the same place.
  if (channel_.Register(range) == RegisterOutcome::kDone) armed = channel_.Arm(range);
  return armed;
}

Result<void> ArmedMemory::NotePresent(const Region& region, const PlannedMapping& planned,
                                      TrackedMemory* tracked) const {
  PageBitmap& present = tracked->ledger.present;
  if (region.shared) {
    // A page of a file exists whether or not this process has it in its page tables. In our own process other threads may have been
    // stopped inside malloc: nothing may be allocated to find out more.
    if (target_.pid() == getpid()) {
      present.SetRun(region.run());
      return {};
    }
    for (const AddressRange data : DataOfMapping(target_.pid(), planned.mapping)) {
      present.SetRun(PagesOf(region, data));
    }
    return {};
  }
  const ArmedPageScanner scanner(target_.pagemap());
  return scanner.Scan(region.range,
                      [&](AddressRange found) { present.SetRun(PagesOf(region, found)); });
}

void ArmedMemory::Release(const TrackedMemory* tracked) {
  std::map<TargetAddress, TargetAddress> ours = registered_;
  if (tracked != nullptr) {
    tracked->map.ForEachIn({TargetAddress{0}, TargetAddress{~uint64_t{0} << 12}}, [&](const Segment& segment) {
      auto& end = ours[segment.begin];
      end = std::max(end, segment.range().end);
    });
  }
  const auto mappings = target_.ReadMappings(false);
  if (!mappings) return;  // the address space is gone, and with it every mark
  for (const Mapping& mapping : *mappings) {
    // The last of ours that begins before the mapping's end; a mapping may have grown beyond what was registered.
    auto after = ours.lower_bound(mapping.range.end);
    if (after == ours.begin()) continue;
    if (std::prev(after)->second > mapping.range.begin) ReleaseRange(mapping.range);
  }
  registered_.clear();
}

void ArmedMemory::ReleaseRange(AddressRange range) const {
  const Clock& clock = MonotonicClock();
  const Bytes even = ToBytes(Pages{range.pages().count / kMostSteps});
  const Bytes step{(std::max(kReleaseStep, even).count + kReleaseStep.count - 1) /
                   kReleaseStep.count * kReleaseStep.count};
  TimePoint burst_began = clock.Now();
  for (TargetAddress at = range.begin; at < range.end;) {
    // Steps end at multiples of their size, so that none of them splits a huge page.
    const TargetAddress aligned{at.value / step.count * step.count};
    const TargetAddress next = std::min(range.end, aligned + step);
    channel_.Unregister({at, next});
    at = next;
    if (clock.Now() - burst_began < kReleaseBurst) continue;
    const timespec moment{.tv_sec = 0, .tv_nsec = 1000};
    nanosleep(&moment, nullptr);
    burst_began = clock.Now();
  }
}

}  // namespace stillframe
