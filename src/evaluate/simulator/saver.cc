#include "evaluate/simulator/saver.h"

#include <algorithm>
#include <utility>

#include "evaluate/simulator/pump.h"
#include "evaluate/simulator/tracker.h"

namespace stillframe::evaluate {
namespace {

// For room, and for a fault before it is looked whether any page is left.
constexpr Duration kPatience = std::chrono::milliseconds(5);
constexpr Duration kNap = std::chrono::microseconds(20);

}  // namespace

SimulatedSaver::SimulatedSaver(SimulatedWorld& world, ThrottlePolicy& policy)
    : world_(world), policy_(policy), slice_left_(world.machine.slice) {}

void SimulatedSaver::OnArrival() {
  if (state_ == State::kPolling) next_ = std::min(next_, world_.now + world_.machine.wake);
}

void SimulatedSaver::OnRoom() {
  if (wants_room_) next_ = std::min(next_, world_.now + world_.machine.wake);
}

ThrottleSample SimulatedSaver::Sample() {
  return {.now = TimePoint(world_.now),
          .faults = world_.tracker->Collect(),
          .reason = reason_,
          .pushed = std::exchange(pushed_, Pages{0}),
          .stage_used = world_.stage.used(),
          .stage_size = world_.stage.size,
          .sent = world_.pump->sent()};
}

void SimulatedSaver::Step() {
  switch (state_) {
    case State::kBuffers:
      return TakeBuffer();
    case State::kPolling: {
      const bool arrived =
          std::exchange(arrivals_seen_, world_.tracker->arrivals()) != world_.tracker->arrivals();
      if (!arrived && world_.now < poll_end_ && world_.memory.unsaved() > 0) return Poll();
      reason_ = arrived ? ThrottleSample::Reason::kPollFault : ThrottleSample::Reason::kPollTimeout;
      return Ask();
    }
    case State::kPushing:
      return FinishRun();
  }
}

void SimulatedSaver::TakeBuffer() {
  wants_room_ = false;
  if (world_.stage.buffers_free > 0) {
    --world_.stage.buffers_free;
    world_.stage.NotePeak();
    return Ask();
  }
  policy_.Observe(Sample());
  wants_room_ = true;
  next_ = world_.now + kPatience;
}

void SimulatedSaver::Ask() {
  if (world_.memory.unsaved() == 0) {
    done_ = true;
    return;
  }
  const ThrottleDecision decision = policy_.Decide(Sample());
  if (decision.push.count > 0) return Push(decision.push);
  state_ = State::kPolling;
  poll_end_ = world_.now + decision.poll;
  Poll();
}

void SimulatedSaver::Poll() {
  const bool arrived = arrivals_seen_ != world_.tracker->arrivals();
  const Duration left = std::clamp(poll_end_ - world_.now, Duration(1), kPatience);
  next_ = world_.now + (arrived ? Duration(1000) : left);
}

void SimulatedSaver::Push(Pages limit) {
  const SimulatedMemory& memory = world_.memory;
  cursor_ = memory.NextUnsaved(cursor_, memory.pages());
  world_.memory.NoteSavedBelow(std::min(cursor_, memory.pages() - 1));
  uint64_t first = cursor_;
  // The one page that the tracker has just claimed is left to it.
  if (world_.serving == first) first = memory.NextUnsaved(first + 1, memory.pages());
  state_ = State::kBuffers;
  if (first >= memory.pages()) {
    ++world_.stage.buffers_free;
    done_ = memory.unsaved() == 0;
    next_ = world_.now + kNap;
    return;
  }
  uint64_t count = memory.UnsavedRun(first, std::min(limit.count, world_.stage.run_pages));
  if (world_.serving && *world_.serving > first) {
    count = std::min(count, *world_.serving - first);
  }
  state_ = State::kPushing;
  world_.scanning = {first, count};
  world_.cpus.scan = true;
  next_ = world_.now + Elapsed(world_.machine.scan_call +
                               world_.machine.scan_page * static_cast<int64_t>(count));
}

Duration SimulatedSaver::Elapsed(Duration cpu) {
  slice_left_ -= cpu;
  if (slice_left_.count() > 0) return cpu;
  slice_left_ = world_.machine.slice;
  const double away =
      static_cast<double>(world_.machine.slice.count()) * (1 / world_.cpus.Share().scan - 1);
  return cpu + Duration(static_cast<int64_t>(away));
}

void SimulatedSaver::FinishRun() {
  const PageSpan run = std::exchange(world_.scanning, PageSpan{});
  for (uint64_t i = 0; i < run.count; ++i) world_.memory.Save(run.first + i);
  pushed_ += Pages{run.count};
  world_.report.scanned += run.count;
  world_.pump->PutRun(run.count);
  world_.tracker->OnScanOpened();
  world_.cpus.scan = false;
  reason_ = ThrottleSample::Reason::kPushed;
  state_ = State::kBuffers;
  done_ = world_.memory.unsaved() == 0;
  next_ = world_.now;
}

}  // namespace stillframe::evaluate
