// The thread that traces: what it seized is let go when it ends, and by no other means where a
// thread of the target never comes to a stop.
#ifndef STILLFRAME_TARGET_TRACER_THREAD_H_
#define STILLFRAME_TARGET_TRACER_THREAD_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>

#include "base/service_thread.h"
#include "stillframe/error.h"

namespace stillframe {

// Does one piece of work at a time.
//
// Thread rule: any one thread at a time.
class TracerThread {
 public:
  using Work = std::function<void()>;

  // kLimit where the system has no room for a thread.
  static Result<std::unique_ptr<TracerThread>> Start();
  TracerThread(const TracerThread&) = delete;
  TracerThread& operator=(const TracerThread&) = delete;
  // After the work at hand. When it returns the kernel has let go of all that was seized, unless
  // that takes it more than a second: then it does so some time later.
  ~TracerThread();

  // Does `work`, and returns when it is done, while `afterwards` is still being done. Rethrows what
  // `work` threw. `meanwhile` is called on the calling thread, every few milliseconds. All but
  // `work` may be empty; what `afterwards` refers to must live until Finish.
  void Run(const Work& work, const Work& meanwhile = nullptr, Work afterwards = nullptr);
  // Waits for the last `afterwards`, and rethrows what it threw.
  void Finish();

 private:
  enum State : uint32_t { kIdle, kWorking, kFollowing, kEnding };

  TracerThread() = default;
  void Serve();
  void Enter(State state);
  // Until it is in none of these any more.
  void AwaitEndOf(State first, State second, const Work& meanwhile = nullptr);

  std::atomic<uint32_t> state_ = kIdle;  // futex
  const Work* work_ = nullptr;           // of the caller in Run
  Work afterwards_;
  std::exception_ptr thrown_by_work_;
  std::exception_ptr thrown_afterwards_;
  ServiceThread thread_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_TRACER_THREAD_H_
