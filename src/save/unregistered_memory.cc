#include "save/unregistered_memory.h"

#include <algorithm>

#include "sys/page_map_scanner.h"

namespace stillframe {
namespace {

// The kernel holds the mmap lock for all of a scan. Where there are no pages it is quick.
constexpr Bytes kSmallestWindow = MiB(64);
constexpr Bytes kLargestWindow = GiB(64);

class Counter {
 public:
  Counter(const Target& target, Bytes enough)
      : scanner_(target.pagemap(), {.marks = false}), enough_(enough) {}

  Result<void> Add(AddressRange range) {
    Bytes window = kSmallestWindow;
    for (TargetAddress at = range.begin; at < range.end && found_ < enough_;) {
      const TargetAddress next = at + std::min(window, range.end - at);
      const Bytes before = found_;
      STILLFRAME_TRY(scanner_.Scan(
          {at, next}, [this](const FoundPages& pages) { found_ += pages.range.size(); }));
      window = found_ > before ? kSmallestWindow : std::min(window * 2, kLargestWindow);
      at = next;
    }
    return {};
  }

  bool full() const { return found_ >= enough_; }
  Bytes found() const { return std::min(found_, enough_); }

 private:
  const PageMapScanner scanner_;
  const Bytes enough_;
  Bytes found_;
};

bool CanComeEarly(const PlannedMapping& planned) {
  const Mapping& mapping = planned.mapping;
  return planned.treatment == Treatment::kArm && mapping.kernel_page_size == kPageSize &&
         !mapping.shared && !mapping.mergeable;
}

Result<void> AddForeign(const TrackedMemory& memory, Counter* counter) {
  if (!memory.arming.any_foreign.load()) return {};
  Result<void> result;
  for (const Region& region : memory.regions.regions()) {
    ForEachSet(memory.arming.foreign, region.run(), [&](PageRun run) {
      if (result) result = counter->Add(region.AddressesOf(run));
    });
  }
  return result;
}

}  // namespace

Result<Bytes> UnregisteredMemory(const Target& target, std::span<const PlannedMapping> plan,
                                 const TrackedMemory& memory, Bytes enough) {
  Counter counter(target, enough);
  STILLFRAME_TRY(AddForeign(memory, &counter));
  const std::span<const Region> regions = memory.regions.regions();
  auto region = regions.begin();
  for (const PlannedMapping& planned : plan) {
    if (counter.full()) break;
    if (!CanComeEarly(planned)) continue;
    const AddressRange range = planned.mapping.range;
    while (region != regions.end() && region->range.end <= range.begin) ++region;
    TargetAddress at = range.begin;
    for (auto r = region; r != regions.end() && r->range.begin < range.end; ++r) {
      if (at < r->range.begin) STILLFRAME_TRY(counter.Add({at, r->range.begin}));
      at = std::max(at, r->range.end);
    }
    if (at < range.end) STILLFRAME_TRY(counter.Add({at, range.end}));
  }
  return counter.found();
}

}  // namespace stillframe
