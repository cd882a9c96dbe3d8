#include "evaluate/activity_thread.h"

#include <pthread.h>
#include <sys/prctl.h>

#include <utility>

namespace stillframe::evaluate {

ActivityThread::ActivityThread(Plan plan, std::unique_ptr<Activity> activity, StatusSlot& slot)
    : plan_(std::move(plan)), activity_(std::move(activity)), slot_(slot) {}

ActivityThread::~ActivityThread() {
  Stop();
  Join();
}

void ActivityThread::Start(std::latch& prepared) {
  thread_ = std::thread([this, &prepared] { Run(prepared); });
}

void ActivityThread::Join() {
  if (thread_.joinable()) thread_.join();
}

void ActivityThread::Run(std::latch& prepared) {
  pthread_setname_np(pthread_self(), plan_.name.substr(0, 15).c_str());
  // The default slack of 50 us would stand in every latency.
  prctl(PR_SET_TIMERSLACK, 1);
  activity_->Prepare();
  prepared.arrive_and_wait();
  Pacer pacer(plan_.rate);
  pacer.Start(plan_.phase);
  while (!stop_.load(std::memory_order_relaxed)) {
    const TimePoint intended = pacer.WaitForNext(stop_);
    activity_->Step();
    latencies_.Record(std::chrono::steady_clock::now() - intended);
    const uint64_t steps = slot_.steps.load(std::memory_order_relaxed) + 1;
    slot_.steps.store(steps, std::memory_order_relaxed);
    if (steps == plan_.corrupt_after) activity_->Corrupt();
  }
}

}  // namespace stillframe::evaluate
