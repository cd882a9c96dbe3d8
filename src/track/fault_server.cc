#include "track/fault_server.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/fail_point.h"
#include "region/huge_page.h"
#include "track/page_copy.h"

namespace stillframe {
namespace {

// Also of hugetlb; larger ones are never armed.
constexpr size_t kMostPages = kHugePagePages.count;
// While others wait, what is opened along takes no longer than a few faults do.
constexpr Pages kAlongForOthers{8};

// How long a fault may wait for room for all of its huge page, and after how many that waited in
// vain none does any more.
constexpr Duration kPatience = std::chrono::milliseconds(1);
constexpr uint32_t kMostSplit = 8;

AddressRange PageAt(TargetAddress address) {
  const TargetAddress begin{address.value & ~(kPageSize.count - 1)};
  return {begin, begin + kPageSize};
}

}  // namespace

Served FaultServer::Serve(const Segment& at, bool ours, bool others_wait, Duration waited,
                          TrackedMemory& memory) {
  const Region& region = memory.regions.RegionOf(at.pages.first);
  const Pages into{(at.pages.first - region.first).count % region.unit().count};
  const Together unit{.pages = {PageIndex{at.pages.first.value - into.count}, region.unit()},
                      .live = at.begin - ToBytes(into),
                      .by_first = region.page_size != kPageSize};
  const PageLedger& ledger = memory.ledger;
  if (!ledger.present.Test(unit.pages.first)) {
    memory.ledger.opened_hole.SetRun(unit.pages);
    return Open(unit.range());
  }
  if (ledger.claimed.Test(unit.pages.first)) {
    if (!ledger.settled.Test(unit.pages.first)) return Served::kElsewhere;
    if (memory.arming.copied.Test(unit.pages.first)) return OpenSaved(at, memory);
    return Open(unit.range());  // open already, or lost; in either case nothing keeps the writer
  }
  if (unit.by_first || ours) return CopyAndOpen(unit, ours, memory);
  if (const auto huge = HugePageAt(at, memory)) {
    if (const auto served = ServeHuge(*huge, waited, memory)) return *served;
  }
  Together along = unit;
  along.pages.count = AlongWith(at, others_wait, memory);
  if (along.pages.count > Pages{1} && CopyAndOpen(along, ours, memory) == Served::kDone) {
    streams_.Opened(along.pages);
    return Served::kDone;
  }
  const Served served = CopyAndOpen(unit, ours, memory);
  if (served == Served::kDone) streams_.Opened(unit.pages);
  return served;
}

// It is armed still. Nothing has to be copied, so more may be opened along than otherwise.
Served FaultServer::OpenSaved(const Segment& at, TrackedMemory& memory) {
  const PageBitmap& copied = memory.arming.copied;
  const PageRun wanted{at.pages.first, std::min(streams_.Wanted(at.pages.first), at.pages.count)};
  Together along{.pages = copied.NextSet(wanted), .live = at.begin, .by_first = false};
  const auto huge = HugePageAt(at, memory);
  const bool whole =
      huge && copied.NextClear(huge->pages).empty() && ArmedFrom(*huge) == huge->pages.count;
  if (whole) along = *huge;
  // What lost its mark by no doing of ours is left for the audit to find.
  const Pages armed = whole ? along.pages.count : ArmedFrom(along);
  along.pages.count = std::max(Pages{1}, armed);
  // Before it is: who finds it without a mark finds this, too.
  memory.ledger.opened_saved.SetRun({along.pages.first, armed});
  const OpenOutcome opened = OpenRange(along.range());
  if (opened == OpenOutcome::kChanging) {
    ForEachSet(memory.ledger.opened_saved, {along.pages.first, armed},
               [&memory](PageRun run) { memory.ledger.opened_saved.ClearRun(run); });
    return Served::kEventFirst;
  }
  if (!whole) streams_.Opened(along.pages);
  if (opened == OpenOutcome::kOpened) return Served::kDone;
  // A mapping ends in between; the page that is wanted may be left.
  memory.arming.huge.ClearRun(along.pages);
  return Open({at.begin, at.begin + kPageSize});
}

Pages FaultServer::ArmedFrom(const Together& pages) const {
  std::array<PagemapEntry, kMostPages> array;
  const auto entries = std::span(array).first(pages.pages.count.count);
  const size_t known = ReadPagemap(target_.pagemap(), pages.live, entries);
  const auto stop = std::ranges::find_if_not(entries.first(known), &PagemapEntry::armed);
  return Pages{static_cast<uint64_t>(stop - entries.begin())};
}

std::optional<Served> FaultServer::ServeHuge(const Together& huge, Duration waited,
                                             TrackedMemory& memory) {
  const Served served = CopyAndOpen(huge, false, memory);
  if (served == Served::kDone) {
    split_ = 0;
    return served;
  }
  if (served == Served::kEventFirst) return served;
  // A stage that is emptied as fast as it fills has room soon; one that is not, has not.
  if (served == Served::kNoRoom && split_ < kMostSplit && waited < kPatience) return Served::kLater;
  ++split_;
  // Once it has to be split there is nothing left to keep together.
  memory.arming.huge.ClearRun(huge.pages);
  return std::nullopt;
}

Served FaultServer::ServeEarly(const Segment& at, TrackedMemory& memory) {
  const Region& region = memory.regions.RegionOf(at.pages.first);
  PageRun run{at.pages.first, std::min(streams_.Wanted(at.pages.first), at.pages.count)};
  AddressRange range{at.begin, at.begin + ToBytes(run.count)};
  const bool whole = memory.arming.huge.Test(run.first) || region.page_size != kPageSize;
  if (whole) {
    const uint64_t unit = std::max(kHugePage, region.page_size).count;
    const TargetAddress begin{at.begin.value & ~(unit - 1)};
    range = Intersect({begin, begin + Bytes{unit}}, region.range);
    run = {region.first + ToPages(range.begin - region.range.begin), range.pages()};
  }
  const OpenOutcome opened = OpenRange(range);
  if (opened == OpenOutcome::kChanging) return Served::kEventFirst;
  if (!whole) streams_.Opened(run);
  // After the open: noted before, it could be armed again and taken off the list in between.
  // Whatever the outcome: of a range that ends in a gap a part may be open.
  memory.arming.opened.SetRun(run);
  if (opened == OpenOutcome::kOpened) return Served::kDone;
  // A mapping ends in between: it is no huge page any more, and the page that is wanted may be
  // left.
  memory.arming.huge.ClearRun(run);
  const Served served = Open({at.begin, at.begin + kPageSize});
  // It was opened once more, and may have been armed in between.
  memory.arming.opened.TestAndSet(at.pages.first);
  return served;
}

Served FaultServer::JustOpen(TargetAddress page, TrackedMemory* memory) {
  AddressRange range = PageAt(page);
  if (memory == nullptr) return Open(range);
  if (const auto at = memory->map.AtAddress(range.begin)) {
    const Region& region = memory->regions.RegionOf(at->pages.first);
    if (region.page_size != kPageSize) {
      range.begin = {range.begin.value & ~(region.page_size.count - 1)};
      range.end = range.begin + region.page_size;
    } else if (const auto huge = HugePageAt(*at, *memory)) {
      if (OpenRange(huge->range()) == OpenOutcome::kOpened) return Served::kDone;
    }
  }
  return Open(range);
}

std::optional<FaultServer::Together> FaultServer::HugePageAt(const Segment& at,
                                                             const TrackedMemory& memory) const {
  if (!memory.arming.huge.Test(at.pages.first)) return std::nullopt;
  const Bytes into{at.begin.value & (kHugePage.count - 1)};
  const Pages before = ToPages(into);
  if (before.count > at.pages.first.value) return std::nullopt;
  const Together huge{.pages = {PageIndex{at.pages.first.value - before.count}, ToPages(kHugePage)},
                      .live = at.begin - into,
                      .by_first = false};
  // All of it must still lie here, as it did, and nobody may have any of it.
  const std::optional<Segment> whole = memory.map.AtPage(huge.pages.first);
  if (!whole || whole->begin != huge.live || whole->pages.count < huge.pages.count) {
    return std::nullopt;
  }
  if (!memory.ledger.present.NextClear(huge.pages).empty()) return std::nullopt;
  return huge;
}

Pages FaultServer::AlongWith(const Segment& at, bool others_wait,
                             const TrackedMemory& memory) const {
  Pages pages = std::min(streams_.Wanted(at.pages.first), at.pages.count);
  if (others_wait) pages = std::min(pages, kAlongForOthers);
  // A half of the room stays for the pages that somebody wants now.
  const size_t free = stage_.FaultSlotsFree();
  const size_t kept = stage_.FaultSlots() / 2;
  pages = std::min(pages, Pages{free > kept ? (free - kept) / 4 : 0});
  const PageRun run{at.pages.first, std::max(pages, Pages{1})};
  const PageRun present = memory.ledger.present.NextSet(run);
  return memory.ledger.claimed.NextClear(present).count;
}

bool FaultServer::Claim(const Together& unit, TrackedMemory& memory) const {
  if (unit.by_first) return memory.ledger.claimed.TestAndSet(unit.pages.first);
  const PageRun claimed = memory.ledger.claimed.ClaimPrefix(unit.pages);
  if (claimed.count == unit.pages.count) return true;
  memory.ledger.claimed.ClearRun(claimed);
  return false;
}

void FaultServer::GiveBack(const Together& unit, TrackedMemory& memory) const {
  if (unit.by_first) {
    memory.ledger.claimed.Clear(unit.pages.first);
  } else {
    memory.ledger.claimed.ClearRun(unit.pages);
  }
}

Served FaultServer::CopyAndOpen(const Together& unit, bool ours, TrackedMemory& memory) {
  std::array<uint32_t, kMostPages> slot_array;
  const size_t n = unit.pages.count.count;
  const std::span<uint32_t> slots(slot_array.data(), n);
  if (!stage_.TakeFaultSlots(slots, ours)) return Served::kNoRoom;
  if (!Claim(unit, memory)) {
    stage_.PutBackFaultSlots(slots);
    return Served::kElsewhere;
  }
  std::array<iovec, kMostPages> to;
  std::array<PagemapEntry, kMostPages> entries;
  for (size_t i = 0; i < n; ++i) {
    to[i] = {.iov_base = stage_.FaultMemory(slots[i]).data(), .iov_len = kPageSize.count};
  }
  const Pages copied =
      CopyPages(target_, memory.regions.RegionOf(unit.pages.first), unit.pages.first, unit.live,
                std::span(to).first(n), std::span(entries).first(n));
  FailPoint("track.copied");
  const std::span<const PagemapEntry> all(entries.data(), n);
  const bool proven = copied.count == n && std::ranges::all_of(all, IsProven);
  // It is there as it was, and only the copy failed: opened now it would be lost. Of several pages
  // that aren't all proven each is looked at for itself.
  const bool again = !proven && (std::ranges::any_of(all, IsProven) || (n > 1 && !unit.by_first));
  const OpenOutcome opened = again ? OpenOutcome::kChanging : OpenRange(unit.range());
  if (opened == OpenOutcome::kChanging) {
    // Pages may have moved, to here or from here: read the events, then look again where this one
    // is.
    stage_.PutBackFaultSlots(slots);
    GiveBack(unit, memory);
    return again ? Served::kElsewhere : Served::kEventFirst;
  }
  // The open was not refused, so no event was unread, and it is this very thread that reads them:
  // the map that led here was true, and no other page can have been moved here.
  memory.ledger.claimed.SetRun(unit.pages);
  if (proven && opened == OpenOutcome::kGone && n > 1 && !unit.by_first) {
    return OpenEach(unit, slots, memory);
  }
  if (proven && opened == OpenOutcome::kOpened) {
    memory.ledger.proven.SetRun(unit.pages);
    for (size_t i = 0; i < n; ++i) stage_.PutFaulted(unit.pages.first + Pages{i}, slots[i]);
  } else {
    memory.lost.fetch_add(n, std::memory_order_relaxed);
    stage_.PutBackFaultSlots(slots);
    channel_.Wake(unit.range());
  }
  memory.ledger.settled.SetRun(unit.pages);
  return Served::kDone;
}

// A mapping ends inside them, or one of them is registered no more.
Served FaultServer::OpenEach(const Together& unit, std::span<const uint32_t> slots,
                             TrackedMemory& memory) {
  for (size_t i = 0; i < slots.size(); ++i) {
    const PageIndex page = unit.pages.first + Pages{i};
    const TargetAddress live = unit.live + kPageSize * i;
    const OpenOutcome opened = channel_.Open({live, live + kPageSize});
    if (opened == OpenOutcome::kChanging) {
      const PageRun rest{page, unit.pages.end() - page};
      stage_.PutBackFaultSlots(slots.subspan(i));
      memory.ledger.claimed.ClearRun(rest);
      return Served::kEventFirst;
    }
    if (opened == OpenOutcome::kOpened) {
      memory.ledger.proven.TestAndSet(page);
      stage_.PutFaulted(page, slots[i]);
    } else {
      memory.lost.fetch_add(1, std::memory_order_relaxed);
      stage_.PutBackFaultSlots(slots.subspan(i, 1));
      channel_.Wake({live, live + kPageSize});
    }
    memory.ledger.settled.TestAndSet(page);
  }
  return Served::kDone;
}

Served FaultServer::Open(AddressRange range) {
  const OpenOutcome opened = OpenRange(range);
  if (opened == OpenOutcome::kChanging) return Served::kEventFirst;
  // What is gone can't be opened, but who waits there must look again.
  if (opened == OpenOutcome::kGone) channel_.Wake(range);
  return Served::kDone;
}

OpenOutcome FaultServer::OpenRange(AddressRange range) {
  if (!wakes_later_ || to_wake_.full() || range.pages() > kAlongForOthers) {
    return channel_.Open(range);
  }
  const OpenOutcome opened = channel_.OpenQuietly(range);
  if (opened == OpenOutcome::kOpened) to_wake_.Add(range);
  return opened;
}

}  // namespace stillframe
