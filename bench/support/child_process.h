// A forked child that never outlives its owner.
#ifndef STILLFRAME_BENCH_SUPPORT_CHILD_PROCESS_H_
#define STILLFRAME_BENCH_SUPPORT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <functional>

namespace stillframe::bench {

// Thread rule: made by a thread that outlives it (the child dies with that thread), while no other
// runs.
class ChildProcess {
 public:
  // Runs `body` in the child, whose exit code is what it returns. Of all descriptors it has the
  // standard ones, and `keep` under its own number unless that is -1: a pipe that it held by
  // accident would never end.
  explicit ChildProcess(const std::function<int()>& body, int keep = -1);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  // Kills it by its pid.
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  // Its exit code, or 128 + the signal that ended it.
  int Wait();
  // Whether it has ended.
  bool Ended();

 private:
  pid_t pid_ = -1;
  bool reaped_ = false;
  int exit_code_ = 0;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_CHILD_PROCESS_H_
