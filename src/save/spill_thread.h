// The thread that drives a Spill.
#ifndef STILLFRAME_SAVE_SPILL_THREAD_H_
#define STILLFRAME_SAVE_SPILL_THREAD_H_

#include <atomic>

#include "base/service_thread.h"
#include "track/spill.h"
#include "track/stage.h"

namespace stillframe {

// Thread rule: the session's.
class SpillThread {
 public:
  // Starts it. Both outlive it.
  SpillThread(Spill& spill, Stage& stage);
  // Ends it: what it has taken out of the stage has then reached the file, or can be taken back. If
  // the device stands still this waits for it, as nothing can call back a write that was begun; so
  // only once the target was let go.
  ~SpillThread();
  SpillThread(const SpillThread&) = delete;
  SpillThread& operator=(const SpillThread&) = delete;

  pid_t tid() const { return thread_.tid(); }

 private:
  void Run();

  Spill& spill_;
  Stage& stage_;
  std::atomic<bool> stopping_ = false;
  ServiceThread thread_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_SPILL_THREAD_H_
