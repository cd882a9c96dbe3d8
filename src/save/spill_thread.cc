#include "save/spill_thread.h"

#include <chrono>

#include "save/without_exceptions.h"

namespace stillframe {
namespace {

constexpr Duration kIdle = std::chrono::milliseconds(50);
// Not below the caller's threads as the output is: a write of the target may wait for this one.
constexpr int kNice = 0;

}  // namespace

SpillThread::SpillThread(Spill& spill, Stage& stage)
    : spill_(spill), stage_(stage), thread_("spl", kNice, [this] { Run(); }) {}

SpillThread::~SpillThread() {
  stopping_.store(true, std::memory_order_release);
  stage_.WakeAll();
  thread_.join();
}

void SpillThread::Run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    const Result<bool> moved =
        WithoutExceptions("while spilling", [this] { return spill_.Step(); });
    if (!moved) return spill_.Abandon(moved.error());
    if (!*moved) spill_.Wait(kIdle);
  }
}

}  // namespace stillframe
