#include "save/late_copy.h"

#include <algorithm>

#include "base/fail_point.h"
#include "save/page_armer.h"
#include "track/page_copy.h"

namespace stillframe {
namespace {

// Calls `visit` for each stretch of pages of the region that exist and have no copy. What is stale
// may be just going, and what is foreign is not armed: both are left for later.
template <class Visit>
void ForEachMissing(const Region& region, const TrackedMemory& memory, Visit visit) {
  const ArmingLog& log = memory.arming;
  ForEachSet(memory.ledger.present, region.run(), [&](PageRun present) {
    ForEachClear(memory.ledger.settled, present, [&](PageRun missing) {
      ForEachClear(log.stale, missing,
                   [&](PageRun certain) { ForEachClear(log.foreign, certain, visit); });
    });
  });
}

}  // namespace

LateCopy::LateCopy(const Target& target, PageSink& sink, const OutputPacer& pacer)
    : target_(target), saver_(sink, pacer, PageSource::kScanned), buffer_(ToBytes(kAtOnce)) {}

Pages LateCopy::Missing(const TrackedMemory& memory) {
  Pages pages;
  for (const Region& region : memory.regions.regions()) {
    if (!CanBeArmedEarly(region)) continue;
    ForEachMissing(region, memory, [&pages](PageRun run) { pages += run.count; });
  }
  return pages;
}

Result<void> LateCopy::CopyMissing(TrackedMemory& memory,
                                   const std::function<Result<void>()>& check) {
  Result<void> result;
  for (const Region& region : memory.regions.regions()) {
    if (!CanBeArmedEarly(region)) continue;
    ForEachMissing(region, memory, [&](PageRun left) {
      while (result && !left.empty()) {
        const PageRun run{left.first, std::min(left.count, kAtOnce)};
        left = {run.end(), left.end() - run.end()};
        result = check();
        if (result) result = CopyRun(region, run, memory);
      }
    });
    STILLFRAME_TRY(result);
  }
  return {};
}

Result<void> LateCopy::CopyRun(const Region& region, PageRun run, TrackedMemory& memory) {
  while (!run.empty()) {
    const iovec to{.iov_base = buffer_.data(), .iov_len = ToBytes(run.count).count};
    const Pages copied = CopyPages(target_, region, run.first, region.AddressesOf(run).begin,
                                   {&to, 1}, std::span(entries_).first(run.count.count));
    FailPoint("late.copied");
    STILLFRAME_TRY(Keep(region, {run.first, copied}, memory));
    if (copied == run.count) break;
    // One that went, or can't be read just now, is passed over: it is saved after the instant.
    STILLFRAME_TRY(target_.CheckAlive());
    const PageIndex next = run.first + copied + Pages{1};
    run = {next, run.end() - next};
  }
  return {};
}

Result<void> LateCopy::Keep(const Region& region, PageRun run, TrackedMemory& memory) {
  for (uint64_t i = 0; i < run.count.count;) {
    uint64_t end = i;
    while (end < run.count.count && IsKept(run.first + Pages{end}, entries_[end], memory)) {
      ++end;
    }
    if (end == i) {
      ++i;
      continue;
    }
    const PageRun kept{run.first + Pages{i}, Pages{end - i}};
    const std::span<const std::byte> bytes(buffer_.data() + ToBytes(Pages{i}).count,
                                           ToBytes(kept.count).count);
    STILLFRAME_TRY(saver_.Write(region.AddressesOf(kept).begin, bytes, PageSource::kScanned));
    memory.arming.copied.SetRun(kept);
    memory.ledger.NoteSaved(kept);
    i = end;
  }
  FailPoint("late.written");
  return {};
}

// What is on a list is forgotten later anyway: only so that nothing is written for nothing.
bool LateCopy::IsKept(PageIndex page, PagemapEntry entry, const TrackedMemory& memory) const {
  return IsProven(entry) && !entry.marker() && !memory.arming.opened.Test(page) &&
         !memory.arming.stale.Test(page);
}

}  // namespace stillframe
