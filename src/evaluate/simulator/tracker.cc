#include "evaluate/simulator/tracker.h"

#include <algorithm>

#include "evaluate/simulator/pump.h"
#include "evaluate/simulator/saver.h"
#include "evaluate/simulator/writers.h"

namespace stillframe::evaluate {
namespace {

constexpr size_t kMostInOneRead = 16;
constexpr size_t kMostRecords = 8192;                        // of the log
constexpr Duration kLook{300};                               // at a fault that has to wait
constexpr Duration kRetry = std::chrono::microseconds(200);  // while something waits

}  // namespace

void SimulatedTracker::Wake() {
  if (!asleep_) return;
  // Waking up is work as well, for the CPU that it runs on.
  world_.cpus.tracker = true;
  next_ = std::min(next_, world_.now + world_.machine.wake);
}

void SimulatedTracker::OnFault(size_t writer) {
  unread_.push_back(writer);
  Wake();
}

void SimulatedTracker::OnScanOpened() {
  if (awaits_scan_) Wake();
}

void SimulatedTracker::OnRoom() {
  if (wants_room_) Wake();
}

void SimulatedTracker::Step() {
  if (serving_) {
    FinishOne();
    ++position_;
  } else {
    Read();
  }
  ServeFrom(world_.now);
}

void SimulatedTracker::Read() {
  asleep_ = false;
  world_.cpus.tracker = true;
  wants_room_ = awaits_scan_ = false;
  position_ = 0;
  const size_t n = std::min(unread_.size(), kMostInOneRead);
  for (size_t i = 0; i < n; ++i) {
    waiting_.push_back({.writer = unread_.front(), .number = arrivals_++, .arrival = world_.now});
    unread_.pop_front();
  }
  if (n > 0) world_.saver->OnArrival();
}

void SimulatedTracker::ServeFrom(Duration time) {
  serving_ = false;
  for (; position_ < waiting_.size(); ++position_) {
    Waiting& fault = waiting_[position_];
    if (const auto takes = Begin(fault)) {
      serving_ = true;
      next_ = time + *takes;
      return;
    }
    time += kLook;
    if (time - fault.arrival > world_.setup.max_stall) world_.gave_up = true;
  }
  std::erase_if(waiting_, [](const Waiting& fault) { return fault.done; });
  Rest(time);
}

std::optional<Duration> SimulatedTracker::Begin(Waiting& fault) {
  const uint64_t page = world_.writers->PageOf(fault.writer);
  copying_ = false;
  if (world_.memory.IsSaved(page)) return world_.machine.open;
  if (world_.scanning.Contains(page)) {
    awaits_scan_ = true;
    return std::nullopt;
  }
  if (world_.stage.slots_free == 0) {
    wants_room_ = true;
    if (!fault.counted_full) ++world_.report.stage_full;
    fault.counted_full = true;
    return std::nullopt;
  }
  --world_.stage.slots_free;
  world_.stage.NotePeak();
  world_.serving = page;
  copying_ = true;
  return world_.ServiceTime();
}

void SimulatedTracker::FinishOne() {
  Waiting& fault = waiting_[position_];
  if (copying_) {
    world_.memory.Save(*world_.serving);
    world_.serving.reset();
    ++world_.report.faulted;
    world_.pump->PutFaulted();
  }
  const Duration wait = world_.now - fault.arrival;
  world_.waits.Record(wait);
  if (ended_.size() < kMostRecords) {
    const TargetAddress address{world_.writers->PageOf(fault.writer) * kPageSize.count};
    ended_.push_back({.number = fault.number,
                      .address = address,
                      .arrival = TimePoint(fault.arrival),
                      .wait = wait,
                      .finished = true});
  }
  fault.done = true;
  world_.writers->Resume(fault.writer);
}

void SimulatedTracker::Rest(Duration time) {
  if (!unread_.empty()) {
    next_ = time + world_.machine.read;
    return;
  }
  asleep_ = true;
  world_.cpus.tracker = false;
  next_ = waiting_.empty() ? kNever : time + kRetry;
}

std::span<const FaultSeen> SimulatedTracker::Collect() {
  seen_.swap(ended_);
  ended_.clear();
  for (const Waiting& fault : waiting_) {
    if (fault.done) continue;
    const TargetAddress address{world_.writers->PageOf(fault.writer) * kPageSize.count};
    seen_.push_back({.number = fault.number,
                     .address = address,
                     .arrival = TimePoint(fault.arrival),
                     .wait = world_.now - fault.arrival,
                     .finished = false});
  }
  std::sort(seen_.begin(), seen_.end(),
            [](const FaultSeen& a, const FaultSeen& b) { return a.number < b.number; });
  return seen_;
}

}  // namespace stillframe::evaluate
