#include "track/fault_tracker.h"

#include <sched.h>

#include <algorithm>
#include <span>

#include "base/fail_point.h"

namespace stillframe {
namespace {

// A look for the thread that discards that takes longer is not repeated at once.
constexpr Duration kDearLook = std::chrono::microseconds(300);

// The output is woken for so many pages, or after so long.
constexpr size_t kAnnouncedAtOnce = 32;
constexpr Duration kAnnounceEvery = std::chrono::milliseconds(1);
constexpr uint32_t kQuickLooks = 15;

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
  if (waiting_count_ + FaultMessages::kMost > waiting_.size()) GiveUp();
  TrackedMemory* memory = memory_.load();
  if (memory == nullptr) {
    channel_.Read(FaultMessages::kMost);  // nothing is saved yet, so nothing can be lost
    return;
  }
  const std::optional<size_t> faults = FaultsToRead();
  if (!faults) SaveAhead(*memory);
  ReadMessages(*memory, faults.value_or(FaultMessages::kMost));
}

std::optional<size_t> FaultTracker::FaultsToRead() {
  const Mode mode = mode_.load();
  if (mode != Mode::kHolding && mode != Mode::kServing) return FaultMessages::kMost;
  // To ask how many there are costs as much as copying a page, and where writers are few it is one.
  if (quick_looks_ > 0 && channel_.IsCalm()) {
    --quick_looks_;
    return 1;
  }
  const std::optional<size_t> faults = channel_.PendingFaults();
  quick_looks_ = faults == 1u ? kQuickLooks : 0;
  if (!faults || *faults == 0) return std::nullopt;
  return std::min(*faults, FaultMessages::kMost);
}

void FaultTracker::SaveAhead(TrackedMemory& memory) {
  const Mode mode = mode_.load();
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
  if (event.kind != MemoryEvent::Kind::kRemove) {
    // Its mapping is gone: what comes to its place comes without a word.
    memory.map.ForEachIn(event.range, [&memory](const Segment& segment) {
      memory.arming.foreign.SetRun(segment.pages);
    });
    memory.arming.any_foreign.store(true);
  }
  if (event.kind == MemoryEvent::Kind::kRemap) {
    mark({event.moved_to, event.moved_to + event.range.size()});
  }
  // After the bits: whoever takes the flag back looks at them next.
  memory.arming.any_stale.store(true);
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
  if (waiting_count_ > 0 || discards_.holds()) return std::chrono::microseconds(200);
  return stage_.unannounced() > 0 ? kAnnounceEvery : std::chrono::milliseconds(100);
}

void FaultTracker::Step() {
  const Turn turn(turns_);
  Round round{.mode = mode_.load(), .memory = memory_.load()};
  if (discards_.holds() && round.memory != nullptr) discards_.Commit(*round.memory);
  server_.SetWakesLater(waiting_count_ > 1);
  size_t kept = 0;
  for (size_t i = 0; i < waiting_count_; ++i) {
    Waiting fault = waiting_[i];
    if (!LookAfter(fault, round)) {
      waiting_[kept++] = fault;
      continue;
    }
    served_[served_count_++] = fault;
    if (served_count_ == served_.size()) EndServed(round, kept, i + 1);
  }
  EndServed(round, kept, waiting_count_);
  waiting_count_ = kept;
  room_wanted_ = round.room_wanted;
  awaits_scan_.store(round.awaits_scan, std::memory_order_relaxed);
  if (room_wanted_) stage_.AskForFaultRoom();
  AnnounceStaged();
}

void FaultTracker::AnnounceStaged() {
  const size_t pages = stage_.unannounced();
  if (pages == 0) return;
  const TimePoint now = clock_.Now();
  if (pages < kAnnouncedAtOnce && now - announced_ < kAnnounceEvery && !room_wanted_) return;
  stage_.AnnounceFaulted();
  announced_ = now;
}

bool FaultTracker::LookAfter(Waiting& fault, Round& round) {
  // Nothing can be opened, for anybody, until the event is read.
  if (round.event_first) return false;
  if (IsHeld(fault, round.mode)) {
    // It arrives, for the count of waits, when the target resumes.
    fault.arrival = clock_.Now();
    return false;
  }
  if (IsSlowed(fault, round.mode)) return false;
  // Asked before as well: of a stage that became so meanwhile a slot may have come free.
  const bool final = stage_.full_is_final();
  const Served served = Serve(fault, round.mode, round.memory);
  if (served == Served::kDone) return true;
  const TimePoint now = clock_.Now();
  TellLog(fault, round);
  round.room_wanted |= served == Served::kLater || served == Served::kNoRoom;
  if (served == Served::kNoRoom) {
    if (!fault.counted_full) stage_full_.fetch_add(1, std::memory_order_relaxed);
    fault.counted_full = true;
    if (final && stage_.full_is_final()) GiveUpForRoom();
  }
  round.awaits_scan |= served == Served::kElsewhere;
  round.event_first = served == Served::kEventFirst;
  if (now - fault.arrival > options_.max_stall) GiveUp();
  return false;
}

void FaultTracker::TellLog(Waiting& fault, const Round& round) {
  if (fault.logged) return;
  fault.logged = true;
  if (round.mode == Mode::kServing && round.memory != nullptr) {
    fault.record = log_.Arrive(fault.address, fault.arrival);
  }
}

void FaultTracker::EndServed(const Round& round, size_t kept, size_t next) {
  const auto is_in = [](AddressRange range) {
    return [range](const Waiting& fault) {
      return range.begin <= fault.address && fault.address < range.end;
    };
  };
  const std::span<const Waiting> all(waiting_.data(), waiting_count_);
  server_.WakeAll([&](AddressRange range) {
    return std::ranges::any_of(all.first(kept), is_in(range)) ||
           std::ranges::any_of(all.subspan(next), is_in(range));
  });
  const TimePoint now = clock_.Now();
  for (size_t i = 0; i < served_count_; ++i) {
    Waiting& fault = served_[i];
    // Only now: whoever is told of it may take the CPU.
    TellLog(fault, round);
    if (round.mode == Mode::kServing || round.mode == Mode::kArming) {
      waits_.Record(now - fault.arrival);
    }
    log_.End(fault.record, now);
  }
  served_count_ = 0;
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
