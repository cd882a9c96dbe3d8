// A forked child that never outlives its owner.
#ifndef STILLFRAME_EVALUATE_BENCH_CHILD_H_
#define STILLFRAME_EVALUATE_BENCH_CHILD_H_

#include <sys/types.h>

#include <functional>
#include <memory>

#include "stillframe/error.h"

namespace stillframe::evaluate {

// Thread rule: made by a thread that outlives it: the child dies with that thread.
class ChildProcess {
 public:
  // Runs `body` in the child, whose exit code is what it returns. Of all descriptors it has the
  // standard ones, and `keep` under its own number unless that is -1: a pipe that it held by
  // accident would never end. Errors: of fork.
  static Result<std::unique_ptr<ChildProcess>> Start(const std::function<int()>& body,
                                                     int keep = -1);
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
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_;
  bool reaped_ = false;
  int exit_code_ = 0;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_CHILD_H_
