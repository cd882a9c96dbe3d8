// Runs one activity on a thread of its own.
#ifndef STILLFRAME_EVALUATE_ACTIVITY_THREAD_H_
#define STILLFRAME_EVALUATE_ACTIVITY_THREAD_H_

#include <atomic>
#include <cstdint>
#include <latch>
#include <memory>
#include <string>
#include <thread>

#include "base/latency_histogram.h"
#include "evaluate/activity.h"
#include "evaluate/pacer.h"
#include "evaluate/status_page.h"

namespace stillframe::evaluate {

class ActivityThread {
 public:
  struct Plan {
    std::string name;
    double rate = 0;             // steps per second, 0: no limit
    double phase = 0;            // of the first step within its interval, 0 to 1
    bool measured = false;       // whether its latencies belong to the report
    uint64_t corrupt_after = 0;  // steps after which a wrong byte is put, 0: never
  };

  ActivityThread(Plan plan, std::unique_ptr<Activity> activity, StatusSlot& slot);
  ~ActivityThread();

  // Starts the thread: it prepares, counts `prepared` down, waits for all others there, then steps
  // until Stop.
  void Start(std::latch& prepared);
  // Asks it to end, doesn't wait.
  void Stop() { stop_ = true; }
  void Join();

  void CheckAll() { activity_->CheckAll(); }
  const Plan& plan() const { return plan_; }
  // How much later than intended each step was done.
  const LatencyHistogram& latencies() const { return latencies_; }
  const StatusSlot& status() const { return slot_; }

 private:
  void Run(std::latch& prepared);

  const Plan plan_;
  const std::unique_ptr<Activity> activity_;
  StatusSlot& slot_;
  LatencyHistogram latencies_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_ACTIVITY_THREAD_H_
