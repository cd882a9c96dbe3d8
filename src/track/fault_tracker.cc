#include "track/fault_tracker.h"

#include <sys/uio.h>

#include <algorithm>
#include <span>

#include "base/fail_point.h"
#include "track/page_copy.h"

namespace stillframe {
namespace {

// A look for the thread that discards that takes longer is not repeated at once.
constexpr Duration kDearLook = std::chrono::microseconds(300);
constexpr uint64_t kLargestUnit =
    512;  // pages: a 2 MiB page of hugetlb; larger ones are never armed

AddressRange PageAt(TargetAddress address) {
  const TargetAddress begin{address.value & ~(kPageSize.count - 1)};
  return {begin, begin + kPageSize};
}

}  // namespace

FaultTracker::FaultTracker(const FaultChannel& channel, const Target& target, Stage& stage,
                           FaultLog& log, const Clock& clock, const Options& options)
    : channel_(channel),
      target_(target),
      stage_(stage),
      log_(log),
      clock_(clock),
      options_(options),
      discards_(channel, target, stage, clock, options.discard_limit),
      waiting_(kMostWaiting) {}

void FaultTracker::SetMode(Mode mode) {
  mode_.store(mode, std::memory_order_release);
  wake_.Notify();
}

void FaultTracker::AddOwnThread(pid_t tid) {
  for (std::atomic<pid_t>& own : own_threads_) {
    pid_t none = 0;
    if (own.compare_exchange_strong(none, tid)) return;
  }
}

bool FaultTracker::IsOwnThread(pid_t tid) const {
  return tid != 0 && std::any_of(own_threads_.begin(), own_threads_.end(),
                                 [tid](const std::atomic<pid_t>& own) { return own == tid; });
}

void FaultTracker::OnReadable() {
  const std::optional<size_t> faults = channel_.PendingFaults();
  if (waiting_count_ + FaultMessages::kMost > waiting_.size()) GiveUp();
  TrackedMemory* memory = memory_.load(std::memory_order_acquire);
  if (memory == nullptr) {
    channel_.Read(FaultMessages::kMost);  // nothing is saved yet, so nothing can be lost
    return;
  }
  // Exactly the faults: an event behind them stays unread until its pages were looked after.
  const bool event_first = !faults || *faults == 0;
  if (event_first) SaveAhead(*memory);
  ReadMessages(*memory,
               event_first ? FaultMessages::kMost : std::min(*faults, FaultMessages::kMost));
}

void FaultTracker::SaveAhead(TrackedMemory& memory) {
  const Mode mode = mode_.load(std::memory_order_acquire);
  if (mode != Mode::kHolding && mode != Mode::kServing) return;
  // With many threads it takes long to find the one that discards, and all the others wait: not
  // each time, then.
  const TimePoint begin = clock_.Now();
  if (begin < next_save_ahead_) return;
  discards_.SaveAhead(memory);
  const TimePoint end = clock_.Now();
  if (end - begin > kDearLook && !discards_.holds()) next_save_ahead_ = end + 4 * (end - begin);
}

void FaultTracker::ReadMessages(TrackedMemory& memory, size_t limit) {
  memory.journal.BeginRead();
  const FaultMessages messages = channel_.Read(limit);
  // Among faults as well: one that was pending may have been woken meanwhile, and an event come in
  // its place.
  for (size_t i = 0; i < messages.event_count; ++i) Apply(messages.events[i], memory);
  memory.journal.EndRead();
  if (messages.event_count > 0) FailPoint("track.event");
  TakeIn(messages);
}

void FaultTracker::TakeIn(const FaultMessages& messages) {
  const TimePoint now = clock_.Now();
  for (size_t i = 0; i < messages.fault_count && waiting_count_ < waiting_.size(); ++i) {
    const WriteFault& fault = messages.faults[i];
    ForgetEarlierFaultOf(fault.tid);
    waiting_[waiting_count_++] = {.address = fault.address,
                                  .arrival = now,
                                  .record = nullptr,
                                  .tid = fault.tid,
                                  .logged = false,
                                  .ours = IsOwnThread(fault.tid),
                                  .counted_full = false};
  }
}

// A thread waits for one page at a time: what it waited for before, it gave up for a signal.
void FaultTracker::ForgetEarlierFaultOf(pid_t tid) {
  if (tid == 0) return;
  for (size_t i = 0; i < waiting_count_; ++i) {
    if (waiting_[i].tid != tid) continue;
    log_.End(waiting_[i].record, clock_.Now());
    waiting_[i] = waiting_[--waiting_count_];
    return;
  }
}

void FaultTracker::Apply(const MemoryEvent& event, TrackedMemory& memory) {
  switch (event.kind) {
    case MemoryEvent::Kind::kRemap:
      memory.map.Move(event.range.begin, event.moved_to, event.range.size());
      // After the map: whoever still saw the old one finds this.
      memory.journal.Note({event.moved_to, event.moved_to + event.range.size()});
      break;
    case MemoryEvent::Kind::kUnmap:
      unmaps_.fetch_add(1, std::memory_order_relaxed);
      MarkUnmapped(event.range, memory);
      break;
    case MemoryEvent::Kind::kRemove:
      // What was not saved ahead shows as unarmed when somebody copies it.
      memory.map.ForEachIn(event.range, [&](const Segment& segment) {
        memory.ledger.discarded.SetRun(segment.pages);
      });
      break;
  }
}

void FaultTracker::MarkUnmapped(AddressRange range, TrackedMemory& memory) {
  memory.map.ForEachIn(range, [&](const Segment& segment) {
    PageRun left = segment.pages;
    while (!left.empty()) {
      const PageRun present = memory.ledger.present.NextSet(left);
      if (present.empty()) return;
      memory.ledger.unmapped.SetRun(present);
      // Whoever has claimed one of them already finds out alone.
      PageRun rest = present;
      while (!rest.empty()) {
        const PageRun claimed = memory.ledger.claimed.ClaimPrefix(rest);
        memory.ledger.settled.SetRun(claimed);
        memory.lost.fetch_add(claimed.count.count, std::memory_order_relaxed);
        const uint64_t step = std::max<uint64_t>(1, claimed.count.count);
        rest = {rest.first + Pages{step}, Pages{rest.count.count - step}};
      }
      left = {present.end(), left.end() - present.end()};
    }
  });
}

Duration FaultTracker::SleepLimit() const {
  // Short while something waits: for the scan to be done with a page, or for its time to run out.
  return waiting_count_ > 0 || discards_.holds() ? std::chrono::microseconds(200)
                                                 : std::chrono::milliseconds(100);
}

void FaultTracker::Step() {
  const Mode mode = mode_.load(std::memory_order_acquire);
  TrackedMemory* memory = memory_.load(std::memory_order_acquire);
  room_wanted_ = false;
  bool awaits_scan = false;
  bool event_first = false;
  if (discards_.holds() && memory != nullptr) discards_.Commit(*memory);
  size_t kept = 0;
  for (size_t i = 0; i < waiting_count_; ++i) {
    Waiting fault = waiting_[i];
    if (event_first) {
      // Nothing can be opened, for anybody, until the event is read.
      waiting_[kept++] = fault;
      continue;
    }
    if (IsHeld(fault, mode)) {
      // It arrives, for the count of waits, when the target resumes.
      fault.arrival = clock_.Now();
      waiting_[kept++] = fault;
      continue;
    }
    if (!fault.logged) {
      if (mode == Mode::kServing && memory != nullptr)
        fault.record = log_.Arrive(fault.address, fault.arrival);
      fault.logged = true;
    }
    const Served served = Serve(fault, mode, memory);
    const TimePoint now = clock_.Now();
    if (served == Served::kDone) {
      if (mode == Mode::kServing) waits_.Record(now - fault.arrival);
      log_.End(fault.record, now);
      continue;
    }
    if (served == Served::kNoRoom) {
      room_wanted_ = true;
      if (!fault.counted_full) stage_full_.fetch_add(1, std::memory_order_relaxed);
      fault.counted_full = true;
    }
    awaits_scan = awaits_scan || served == Served::kElsewhere;
    event_first = served == Served::kEventFirst;
    if (now - fault.arrival > options_.max_stall) GiveUp();
    waiting_[kept++] = fault;
  }
  waiting_count_ = kept;
  awaits_scan_.store(awaits_scan, std::memory_order_relaxed);
  if (room_wanted_) stage_.AskForFaultRoom();
}

bool FaultTracker::IsHeld(const Waiting& fault, Mode mode) const {
  return mode == Mode::kHolding && !fault.ours;
}

FaultTracker::Served FaultTracker::Serve(Waiting& fault, Mode mode, TrackedMemory* memory) {
  if (memory == nullptr || mode == Mode::kIdle || mode == Mode::kOpening) {
    // Huge pages can only be opened whole; any of the tries wakes the writer.
    const AddressRange page = PageAt(fault.address);
    const Served served = JustOpen(page);
    if (served != Served::kDone || memory == nullptr) return served;
    if (const auto at = memory->map.AtAddress(page.begin)) {
      const Region& region = memory->regions.RegionOf(at->pages.first);
      if (region.page_size != kPageSize) {
        const TargetAddress begin{page.begin.value & ~(region.page_size.count - 1)};
        return JustOpen({begin, begin + region.page_size});
      }
    }
    return served;
  }
  const std::optional<Segment> at = memory->map.AtAddress(PageAt(fault.address).begin);
  if (at) return ServePage(fault, *memory, *at);
  // Faults come before events, so its remap may still be unread; but then the open is refused, and
  // this is tried again.
  return JustOpen(PageAt(fault.address));
}

FaultTracker::Served FaultTracker::ServePage(Waiting& fault, TrackedMemory& memory,
                                             const Segment& at) {
  const Region& region = memory.regions.RegionOf(at.pages.first);
  const Pages into_unit{(at.pages.first - region.first).count % region.unit().count};
  const PageRun unit{PageIndex{at.pages.first.value - into_unit.count}, region.unit()};
  const TargetAddress live = at.begin - ToBytes(into_unit);
  const AddressRange range{live, live + region.page_size};

  if (!memory.ledger.present.Test(unit.first)) return JustOpen(range);  // a hole at the instant
  if (memory.ledger.claimed.Test(unit.first)) {
    if (!memory.ledger.settled.Test(unit.first)) return Served::kElsewhere;
    return JustOpen(range);  // open already, or lost; in either case nothing keeps the writer
  }
  return CopyAndOpen(fault, memory, live, unit);
}

FaultTracker::Served FaultTracker::CopyAndOpen(Waiting& fault, TrackedMemory& memory,
                                               TargetAddress live, PageRun unit) {
  std::array<uint32_t, kLargestUnit> slot_array;
  const size_t n = unit.count.count;
  const std::span<uint32_t> slots(slot_array.data(), n);
  if (!stage_.TakeFaultSlots(slots, fault.ours)) return Served::kNoRoom;
  if (!memory.ledger.claimed.TestAndSet(unit.first)) {
    stage_.PutBackFaultSlots(slots);
    return Served::kElsewhere;
  }
  std::array<iovec, kLargestUnit> to;
  std::array<PagemapEntry, kLargestUnit> entries;
  for (size_t i = 0; i < n; ++i) {
    to[i] = {.iov_base = stage_.FaultMemory(slots[i]).data(), .iov_len = kPageSize.count};
  }
  const AddressRange range{live, live + ToBytes(unit.count)};
  const Pages copied = CopyPages(target_, memory.regions.RegionOf(unit.first), unit.first, live,
                                 std::span(to).first(n), std::span(entries).first(n));
  FailPoint("track.copied");
  const bool proven =
      copied.count == n && std::all_of(entries.data(), entries.data() + n, IsProven);
  const bool armed = std::any_of(entries.data(), entries.data() + n, IsProven);
  if (!proven && armed) {
    // It is there as it was, and only the copy failed: opened now it would be lost.
    stage_.PutBackFaultSlots(slots);
    memory.ledger.claimed.Clear(unit.first);
    return Served::kElsewhere;
  }
  const OpenOutcome opened = channel_.Open(range);
  if (opened == OpenOutcome::kChanging) {
    // Pages may have moved, to here or from here: read the events, then look again where this one
    // is.
    stage_.PutBackFaultSlots(slots);
    memory.ledger.claimed.Clear(unit.first);
    return Served::kEventFirst;
  }
  // The open was not refused, so no event was unread, and it is this very thread that reads them:
  // the map that led here was true, and no other page can have been moved here.
  memory.ledger.claimed.SetRun(unit);
  if (proven && opened == OpenOutcome::kOpened) {
    memory.ledger.proven.SetRun(unit);
    for (size_t i = 0; i < n; ++i) stage_.PutFaulted(unit.first + Pages{i}, slots[i]);
  } else {
    memory.lost.fetch_add(n, std::memory_order_relaxed);
    stage_.PutBackFaultSlots(slots);
    channel_.Wake(range);
  }
  memory.ledger.settled.SetRun(unit);
  return Served::kDone;
}

FaultTracker::Served FaultTracker::JustOpen(AddressRange range) {
  if (channel_.Open(range) == OpenOutcome::kChanging) return Served::kEventFirst;
  // What is gone can't be opened, but who waits there must look again.
  channel_.Wake(range);
  return Served::kDone;
}

void FaultTracker::GiveUp() {
  gave_up_.store(true, std::memory_order_release);
  mode_.store(Mode::kOpening, std::memory_order_release);
  log_.Interrupt();
}

}  // namespace stillframe
