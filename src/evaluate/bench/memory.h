// How much memory a save takes: the most that we and the target needed beyond what both had before.
#ifndef STILLFRAME_EVALUATE_BENCH_MEMORY_H_
#define STILLFRAME_EVALUATE_BENCH_MEMORY_H_

#include <sys/types.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "stillframe/units.h"

namespace stillframe::evaluate {

// Looks at /proc every 20 ms on a thread of its own, at a low priority. Counted are private
// memory and page tables: of this process, of the target, and of the target's children only what
// they don't share with it, that is what copy-on-write has copied. The latter needs a walk over the
// child's page tables and is looked at less often; so it may come out a little too low.
//
// Thread rule: one thread.
class MemoryWatch {
 public:
  // What both have now is what they had before.
  explicit MemoryWatch(pid_t target);
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;
  ~MemoryWatch() { Stop(); }

  // The most there was.
  Bytes Stop();

 private:
  void Run();
  void Look();

  const pid_t target_;
  const Bytes own_before_;
  const Bytes target_before_;
  Bytes most_{0};
  Bytes copied_{0};  // of the target's children, when last seen
  TimePoint next_walk_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_MEMORY_H_
