// The thread that drives a FaultTracker.
#ifndef STILLFRAME_SAVE_TRACKER_THREAD_H_
#define STILLFRAME_SAVE_TRACKER_THREAD_H_

#include <atomic>

#include "base/service_thread.h"
#include "fault/fault_channel.h"
#include "stillframe/save.h"
#include "track/fault_tracker.h"
#include "track/stage.h"

namespace stillframe {

// Thread rule: the session's.
class TrackerThread {
 public:
  // Starts it, at a higher priority than ours where we may (CAP_SYS_NICE). All of them outlive it.
  // `how` it waits.
  TrackerThread(const FaultChannel& channel, FaultTracker& tracker, Stage& stage, TrackerWait how);
  // Ends it. Nothing may be armed any more, or its writers wait until the userfaultfd closes.
  ~TrackerThread();
  TrackerThread(const TrackerThread&) = delete;
  TrackerThread& operator=(const TrackerThread&) = delete;

  // What those who scan and write add to their nice value to run below it. Zero where it runs above
  // everybody as it is: among busy programs a low priority is hardly any CPU, and what stands in
  // the stage must get out of it.
  int nice_of_others() const;

 private:
  void Run(TrackerWait how);

  const FaultChannel& channel_;
  FaultTracker& tracker_;
  Stage& stage_;
  std::atomic<bool> stopping_ = false;
  ServiceThread thread_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_TRACKER_THREAD_H_
