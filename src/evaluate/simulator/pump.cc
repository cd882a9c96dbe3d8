#include "evaluate/simulator/pump.h"

#include <algorithm>

#include "evaluate/simulator/saver.h"
#include "evaluate/simulator/tracker.h"

namespace stillframe::evaluate {

void SimulatedPump::Wake() {
  if (next_ != kNever) return;
  world_.cpus.output = true;
  next_ = world_.now + world_.machine.wake;
}

void SimulatedPump::PutFaulted() {
  ++faulted_;
  Wake();
}

void SimulatedPump::PutRun(uint64_t pages) {
  runs_.push_back(pages);
  Wake();
}

void SimulatedPump::Step() {
  if (writing_ > 0) {
    sent_ += kPageSize * writing_;
    writing_ = 0;
    if (writing_run_) {
      ++world_.stage.buffers_free;
      world_.saver->OnRoom();
    } else {
      ++world_.stage.slots_free;
      world_.tracker->OnRoom();
    }
  }
  Begin();
}

void SimulatedPump::Begin() {
  failed_ = failed_ || output_.FailsAt(world_.now);
  world_.cpus.output = faulted_ > 0 || !runs_.empty();
  if (!world_.cpus.output) {
    next_ = kNever;
    world_.cpus.reader = 0;
    return;
  }
  writing_run_ = faulted_ == 0;
  if (writing_run_) {
    writing_ = runs_.front();
    runs_.pop_front();
  } else {
    writing_ = 1;
    --faulted_;
  }
  const OutputModel& output = world_.setup.output;
  const Duration cpu =
      world_.machine.output_call +
      (world_.machine.output_page + output.copy_page) * static_cast<int64_t>(writing_);
  const double slowed = static_cast<double>(cpu.count()) / world_.cpus.Share().output;
  const Duration written = world_.now + Duration(static_cast<int64_t>(slowed));
  next_ = output_.Write(written, kPageSize * writing_);
  // It sleeps rather than computes while the output is what it waits for.
  if (next_ - written > written - world_.now) world_.cpus.output = false;
  const Duration read = output.reader_page * static_cast<int64_t>(writing_);
  const Duration passes = std::max(Duration(1), next_ - world_.now);
  world_.cpus.reader =
      std::min(1.0, static_cast<double>(read.count()) / static_cast<double>(passes.count()));
}

}  // namespace stillframe::evaluate
