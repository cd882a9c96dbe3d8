#include "track/discard_saver.h"

#include <sys/uio.h>

#include <algorithm>
#include <span>

#include "base/fail_point.h"
#include "track/page_copy.h"

namespace stillframe {

DiscardSaver::DiscardSaver(const FaultChannel& channel, const Target& target, Stage& stage,
                           const Clock& clock, Duration limit)
    : channel_(channel),
      target_(target),
      stage_(stage),
      clock_(clock),
      limit_(limit),
      held_(stage.FaultSlotsFree()) {}

void DiscardSaver::SaveAhead(TrackedMemory& memory) {
  std::array<AddressRange, 16> ranges;
  const size_t n = target_.PendingDiscards(ranges);
  if (n == 0) return;
  if (!holds()) journal_time_ = memory.journal.Now();
  most_ = std::min(held_.size(), held_count_ + stage_.FaultSlotsFree() / 2);
  const TimePoint deadline = clock_.Now() + limit_;
  for (size_t i = 0; i < n; ++i) SaveRange(memory, ranges[i], deadline);
  FailPoint("track.saved-ahead");
}

void DiscardSaver::SaveRange(TrackedMemory& memory, AddressRange range, TimePoint deadline) {
  memory.map.ForEachIn(range, [&](const Segment& segment) {
    PageRun left = segment.pages;
    while (!left.empty() && held_count_ < most_ && clock_.Now() < deadline) {
      PageRun run = memory.ledger.present.NextSet(left);
      if (run.empty()) return;
      run.count = std::min({run.count, Pages{kPagesAtOnce}, Pages{most_ - held_count_}});
      // Huge pages are opened, and so claimed, whole: too much for this path.
      if (memory.regions.RegionOf(run.first).page_size == kPageSize) {
        SaveRun(memory, segment.begin + ToBytes(run.first - segment.pages.first), run);
      }
      left = {run.end(), left.end() - run.end()};
    }
  });
}

void DiscardSaver::SaveRun(TrackedMemory& memory, TargetAddress live, PageRun run) {
  std::array<uint32_t, kPagesAtOnce> slots;
  std::array<iovec, kPagesAtOnce> to;
  const std::span<uint32_t> wanted(slots.data(), run.count.count);
  if (!stage_.TakeFaultSlots(wanted, false)) return;
  const PageRun claimed = memory.ledger.claimed.ClaimPrefix(run);
  const size_t n = claimed.count.count;
  stage_.PutBackFaultSlots(wanted.subspan(n));
  if (n == 0) return;
  for (size_t i = 0; i < n; ++i) {
    to[i] = {.iov_base = stage_.FaultMemory(slots[i]).data(), .iov_len = kPageSize.count};
  }
  const std::span<PagemapEntry> entries(entries_.data(), n);
  const Pages copied = CopyPages(target_, memory.regions.RegionOf(claimed.first), claimed.first,
                                 live, std::span(to).first(n), entries);
  for (size_t i = 0; i < n; ++i) {
    const PageIndex page = claimed.first + Pages{i};
    if (i < copied.count && IsProven(entries[i])) {
      held_[held_count_++] = {page, live + kPageSize * i, slots[i]};
    } else {
      // Not there or not armed: whoever comes next finds out what became of it.
      stage_.PutBackFaultSlots({&slots[i], 1});
      memory.ledger.claimed.Clear(page);
    }
  }
}

void DiscardSaver::Commit(TrackedMemory& memory) {
  // Any open will do: EAGAIN means that a change of mappings, perhaps one from before our copies,
  // is still to be told.
  const AddressRange first{held_[0].address, held_[0].address + kPageSize};
  if (channel_.Open(first) == OpenOutcome::kChanging) return;
  for (size_t i = 0; i < held_count_; ++i) {
    const Held& held = held_[i];
    if (memory.journal.MovedInto({held.address, held.address + kPageSize}, journal_time_)) {
      stage_.PutBackFaultSlots({&held.slot, 1});
      memory.ledger.settled.TestAndSet(held.page);
      memory.lost.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    memory.ledger.proven.TestAndSet(held.page);
    memory.ledger.settled.TestAndSet(held.page);
    stage_.PutFaulted(held.page, held.slot);
  }
  held_count_ = 0;
}

}  // namespace stillframe
