#include "save/page_armer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace stillframe {
namespace {

constexpr Bytes kBlock = MiB(2);
constexpr Bytes kPausedStep = GiB(1);
// Stretches that lie so close are armed by one call: it costs as much as so many pages.
constexpr Pages kBridged{16};
// Stretches that lie so close are asked about in one go although what is between them is known.
// Where holes are marked that is whole blocks, and each of their marks costs a look.
constexpr Pages kAskedAlong{16};
constexpr Pages kAskedAlongUnmarked{512};
// The kernel holds the mmap lock for all of a scan, some 3 ms per GiB of pages. Where there are
// none it passes over a gigabyte at a time.
constexpr Bytes kSmallestWindow = MiB(64);
constexpr Bytes kLargestWindow = GiB(64);

// The whole blocks that `range` touches, cut to the region.
AddressRange Blocks(const Region& region, AddressRange range) {
  const uint64_t mask = kBlock.count - 1;
  const AddressRange blocks{{range.begin.value & ~mask}, {(range.end.value + mask) & ~mask}};
  return Intersect(blocks, region.range);
}

std::vector<PageRun> TakeFrom(PageBitmap* list, PageRun within) {
  std::vector<PageRun> runs;
  ForEachSet(*list, within, [&](PageRun run) {
    list->ClearRun(run);
    runs.push_back(run);
  });
  return runs;
}

}  // namespace

// Also of what is only armed along: a page that had lost its mark would not be told from one that
// never did.
void ForgetCopies(PageRun run, TrackedMemory& memory) {
  ForEachSet(memory.arming.copied, run, [&memory](PageRun copied) {
    memory.arming.copied.ClearRun(copied);
    memory.ledger.Forget(copied);
  });
}

Result<void> PageArmer::ScanInWindows(AddressRange range,
                                      const PageMapScanner::Found& found) const {
  Bytes window = kSmallestWindow;
  for (TargetAddress at = range.begin; at < range.end;) {
    const TargetAddress next = std::min(range.end, at + std::min(window, range.end - at));
    bool any = false;
    STILLFRAME_TRY(scanner_.Scan({at, next}, [&](const FoundPages& pages) {
      any = true;
      found(pages);
    }));
    window = any ? kSmallestWindow : std::min(window * 2, kLargestWindow);
    at = next;
  }
  return {};
}

Result<std::vector<AddressRange>> PageArmer::PopulatedBlocks(const Region& region, PageRun run,
                                                             Phase phase) const {
  std::vector<AddressRange> stretches;
  const auto note = [&](const FoundPages& populated) {
    const PageRun pages = region.PagesIn(populated.range);
    if (populated.huge) memory_.arming.huge.SetRun(pages);
    if (phase == Phase::kPaused) memory_.ledger.present.SetRun(pages);
    const AddressRange blocks = Blocks(region, populated.range);
    if (!stretches.empty() && stretches.back().end >= blocks.begin) {
      stretches.back().end = std::max(stretches.back().end, blocks.end);
    } else {
      stretches.push_back(blocks);
    }
  };
  const AddressRange range = region.AddressesOf(run);
  STILLFRAME_TRY(phase == Phase::kPaused ? scanner_.Scan(range, note) : ScanInWindows(range, note));
  return stretches;
}

Result<void> PageArmer::NotePopulated(const Region& region, AddressRange range) {
  ArmingLog& log = memory_.arming;
  STILLFRAME_TRY(ScanInWindows(range, [&](const FoundPages& populated) {
    const PageRun pages = region.PagesIn(populated.range);
    memory_.ledger.present.SetRun(pages);
    if (!channel_.marks_holes()) log.closed.SetRun(pages);
  }));
  if (channel_.marks_holes()) log.closed.SetRun(region.PagesIn(range));
  return {};
}

Result<void> PageArmer::ArmPopulated(const Region& region, PageRun run) {
  STILLFRAME_ASSIGN(const std::vector<AddressRange> stretches,
                    PopulatedBlocks(region, run, Phase::kRunning));
  for (const AddressRange stretch : stretches) {
    ForgetCopies(region.PagesIn(stretch), memory_);
    STILLFRAME_TRY(ArmInSteps(region, stretch, Phase::kRunning));
    STILLFRAME_TRY(NotePopulated(region, stretch));
  }
  return {};
}

Result<void> PageArmer::ArmNew(const Region& region) {
  return ForEachUnknown(region, [&](PageRun run) { return ArmPopulated(region, run); });
}

Result<void> PageArmer::ArmOpened(const Region& region, Phase phase) {
  ArmingLog& log = memory_.arming;
  Result<void> result;
  const auto arm = [&](PageRun run) {
    if (!result || run.empty()) return;
    ForgetCopies(run, memory_);
    result = ArmInSteps(region, region.AddressesOf(run), phase);
    // What was there stays, or goes with an event; only a hole may have become a page.
    ForEachClear(memory_.ledger.present, run, [&](PageRun holes) {
      if (result) result = NotePopulated(region, region.AddressesOf(holes));
    });
  };
  PageRun pending{region.first, Pages{0}};
  ForEachSet(log.opened, region.run(), [&](PageRun run) {
    // Before it is armed: a write that comes after is noted again.
    log.opened.ClearRun(run);
    ForEachSet(log.seen, run, [&log](PageRun again) { log.hot.SetRun(again); });
    log.seen.SetRun(run);
    if (!pending.empty() && run.first - pending.end() <= kBridged) {
      pending.count = run.end() - pending.first;
      return;
    }
    arm(std::exchange(pending, run));
  });
  arm(pending);
  return result;
}

std::vector<PageRun> PageArmer::TakeStale(const Region& region) {
  return TakeFrom(&memory_.arming.stale, region.run());
}

std::vector<PageRun> PageArmer::TakeForeign(const Region& region) {
  return TakeFrom(&memory_.arming.foreign, region.run());
}

void PageArmer::AskAnew(PageRun run) {
  memory_.ledger.present.ClearRun(run);
  memory_.arming.closed.ClearRun(run);
  ForgetCopies(run, memory_);
}

void PageArmer::ListUnknown(const Region& region) {
  const auto note = [this](PageRun run) {
    memory_.arming.unknown.push_back(run);
    return Result<void>();
  };
  static_cast<void>(ForEachUnknown(region, note));
}

Result<void> PageArmer::ArmRest(const Region& region) {
  ArmingLog& log = memory_.arming;
  const auto ask = [&](PageRun run) -> Result<void> {
    STILLFRAME_ASSIGN(const std::vector<AddressRange> stretches,
                      PopulatedBlocks(region, run, Phase::kPaused));
    for (const AddressRange stretch : stretches) {
      ForgetCopies(region.PagesIn(stretch), memory_);
      STILLFRAME_TRY(ArmInSteps(region, stretch, Phase::kPaused));
    }
    return {};
  };
  // What is stale is asked for anew, as if it had never been armed.
  std::vector<PageRun> stale;
  if (log.any_stale.load()) stale = TakeStale(region);
  if (log.any_foreign.load()) std::ranges::copy(TakeForeign(region), std::back_inserter(stale));
  for (const PageRun run : stale) {
    AskAnew(run);
    log.opened.ClearRun(run);
  }
  STILLFRAME_TRY(ArmOpened(region, Phase::kPaused));
  if (!log.listed) return ForEachUnknown(region, ask);
  for (const PageRun run : stale) STILLFRAME_TRY(ask(run));
  // A mapping may have come apart since.
  auto run = std::ranges::partition_point(
      log.unknown, [&region](const PageRun& unknown) { return unknown.end() <= region.first; });
  for (; run != log.unknown.end() && run->first < region.run().end(); ++run) {
    const PageIndex first = std::max(run->first, region.first);
    STILLFRAME_TRY(ask({first, std::min(run->end(), region.run().end()) - first}));
  }
  return {};
}

Result<void> PageArmer::ForEachUnknown(const Region& region,
                                       const std::function<Result<void>(PageRun)>& visit) const {
  Result<void> result;
  const Pages along = channel_.marks_holes() ? kAskedAlong : kAskedAlongUnmarked;
  PageRun pending{region.first, Pages{0}};
  ForEachClear(memory_.arming.closed, region.run(), [&](PageRun run) {
    if (!pending.empty() && run.first - pending.end() <= along) {
      pending.count = run.end() - pending.first;
      return;
    }
    const PageRun before = std::exchange(pending, run);
    if (result && !before.empty()) result = visit(before);
  });
  if (result && !pending.empty()) result = visit(pending);
  return result;
}

Result<void> PageArmer::ArmInSteps(const Region& region, AddressRange range, Phase phase) {
  for (TargetAddress at = range.begin; at < range.end;) {
    // Steps end at multiples of their size, so that none of them splits a huge page.
    const uint64_t step = phase == Phase::kRunning ? kBlock.count : kPausedStep.count;
    const TargetAddress next = std::min(range.end, TargetAddress{(at.value / step + 1) * step});
    STILLFRAME_TRY(ArmStep(region, {at, next}, phase));
    at = next;
  }
  return {};
}

Result<void> PageArmer::ArmStep(const Region& region, AddressRange step, Phase phase) {
  ++calls_;
  Result<void> armed = channel_.Arm(step);
  if (armed || armed.error().code == ErrorCode::kTargetGone) return armed;
  if (phase == Phase::kRunning) {
    // Something else is there by now, and stays so: to ask for it again and again is in vain.
    memory_.arming.foreign.SetRun(region.PagesIn(step));
    memory_.arming.any_foreign.store(true);
    return target_.CheckAlive();
  }
  // The mapping that was registered went, and one like it came to the same place. All of it: to
  // register a part would split it.
  if (channel_.Register(region.mapping) == RegisterOutcome::kDone) armed = channel_.Arm(step);
  return armed;
}

}  // namespace stillframe
