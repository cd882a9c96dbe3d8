#include "track/fault_tracker.h"

#include <sched.h>

#include <algorithm>
#include <span>

#include "base/fail_point.h"

namespace stillframe {
namespace {

// A look for the thread that discards that takes longer is not repeated at once.
constexpr Duration kDearLook = std::chrono::microseconds(300);

TargetAddress PageBegin(TargetAddress address) { return {address.value & ~(kPageSize.count - 1)}; }

}  // namespace

FaultTracker::FaultTracker(const FaultChannel& channel, const Target& target, Stage& stage,
                           FaultLog& log, const Clock& clock, const Options& options)
    : channel_(channel),
      stage_(stage),
      log_(log),
      clock_(clock),
      options_(options),
      server_(channel, target, stage),
      discards_(channel, target, stage, clock, options.discard_limit),
      waiting_(kMostWaiting) {}

void FaultTracker::AwaitTurn() const {
  // In one order with the stores before: a turn that begins now sees them.
  const uint64_t turn = turns_.load();
  if (turn % 2 == 0) return;
  while (turns_.load() == turn) sched_yield();
}

void FaultTracker::SetMode(Mode mode) {
  mode_.store(mode);
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
  const Turn turn(turns_);
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
  // Before the read: whoever stands still after it caused its event before.
  const Mode mode = mode_.load();
  memory.journal.BeginRead();
  const FaultMessages messages = channel_.Read(limit);
  // Among faults as well: one that was pending may have been woken meanwhile, and an event come in
  // its place.
  for (size_t i = 0; i < messages.event_count; ++i) {
    if (mode == Mode::kArming) {
      MarkStale(messages.events[i], memory);
    } else {
      Apply(messages.events[i], memory);
    }
  }
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

void FaultTracker::MarkStale(const MemoryEvent& event, TrackedMemory& memory) {
  const auto mark = [&memory](AddressRange range) {
    memory.map.ForEachIn(
        range, [&memory](const Segment& segment) { memory.arming.stale.SetRun(segment.pages); });
  };
  mark(event.range);
  memory.arming.any_stale.store(true);
  if (event.kind == MemoryEvent::Kind::kRemap) {
    mark({event.moved_to, event.moved_to + event.range.size()});
  }
}

void FaultTracker::MarkUnmapped(AddressRange range, TrackedMemory& memory) {
  memory.map.ForEachIn(range, [&](const Segment& segment) {
    // Holes too: what comes to their place is no memory of the instant.
    memory.ledger.unmapped.SetRun(segment.pages);
    PageRun left = segment.pages;
    while (!left.empty()) {
      const PageRun present = memory.ledger.present.NextSet(left);
      if (present.empty()) return;
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
  if (waiting_count_ > 0 && mode_.load(std::memory_order_relaxed) == Mode::kArming) {
    return std::chrono::microseconds(20);
  }
  // Short while something waits: for the scan to be done with a page, or for its time to run out.
  return waiting_count_ > 0 || discards_.holds() ? std::chrono::microseconds(200)
                                                 : std::chrono::milliseconds(100);
}

void FaultTracker::Step() {
  const Turn turn(turns_);
  const Mode mode = mode_.load();
  TrackedMemory* memory = memory_.load();
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
    if (IsSlowed(fault, mode)) {
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
      if (mode == Mode::kServing || mode == Mode::kArming) waits_.Record(now - fault.arrival);
      log_.End(fault.record, now);
      continue;
    }
    room_wanted_ = room_wanted_ || served == Served::kLater;
    if (served == Served::kNoRoom) {
      room_wanted_ = true;
      if (!fault.counted_full) stage_full_.fetch_add(1, std::memory_order_relaxed);
      fault.counted_full = true;
      if (stage_.full_is_final()) GiveUpForRoom();
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

bool FaultTracker::IsSlowed(const Waiting& fault, Mode mode) const {
  if (mode != Mode::kArming) return false;
  const Duration slowdown(slowdown_ns_.load(std::memory_order_relaxed));
  return slowdown > Duration(0) && clock_.Now() < fault.arrival + slowdown;
}

Served FaultTracker::Serve(Waiting& fault, Mode mode, TrackedMemory* memory) {
  const TargetAddress page = PageBegin(fault.address);
  if (memory == nullptr || mode == Mode::kIdle || mode == Mode::kOpening) {
    return server_.JustOpen(page, memory);
  }
  const std::optional<Segment> at = memory->map.AtAddress(page);
  // Faults come before events, so its remap may still be unread; but then the open is refused, and
  // this is tried again.
  if (!at) return server_.JustOpen(page, nullptr);
  if (mode != Mode::kArming) {
    return server_.Serve(*at, fault.ours, waiting_count_ > 1, clock_.Now() - fault.arrival,
                         *memory);
  }
  const Served served = server_.ServeEarly(*at, *memory);
  if (served == Served::kDone) {
    slowed_ns_.fetch_add(slowdown_ns_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  return served;
}

void FaultTracker::GiveUpForRoom() {
  no_room_.store(true, std::memory_order_release);
  GiveUp();
}

void FaultTracker::GiveUp() {
  gave_up_.store(true, std::memory_order_release);
  mode_.store(Mode::kOpening, std::memory_order_release);
  log_.Interrupt();
}

}  // namespace stillframe
