// Threads that were seized and did not stop in time. They will some time, and would then stand
// still for ever if nobody let them go.
#ifndef STILLFRAME_TARGET_STRAGGLER_LIST_H_
#define STILLFRAME_TARGET_STRAGGLER_LIST_H_

#include <sys/types.h>

#include <array>
#include <cstddef>

namespace stillframe {

// No allocation. Thread rule: the tracer. Holds eight, and whoever adds to it tries nothing while
// it is not empty.
class StragglerList {
 public:
  void Add(pid_t tid);
  // Lets go of those that have stopped meanwhile, or have died.
  void Poll();
  bool empty() const { return count_ == 0; }

 private:
  std::array<pid_t, 8> tids_{};
  size_t count_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_STRAGGLER_LIST_H_
