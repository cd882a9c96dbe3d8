// A forked process of ours that does to the target what must not be left half done, and so outlives
// us when it has to.
#ifndef STILLFRAME_TARGET_HELPER_PROCESS_H_
#define STILLFRAME_TARGET_HELPER_PROCESS_H_

#include <sys/types.h>

#include <span>

#include "base/unique_fd.h"
#include "stillframe/error.h"
#include "stillframe/units.h"
#include "sys/shared_memory.h"
#include "target/helper_lease.h"

namespace stillframe {

// In the helper, which was forked from what may be a program of many threads: no allocation, no
// lock, no stdio, and it ends with _exit.
using HelperBody = void (*)(const void* order, HelperLease* lease);

// The program's own view of it: a child that sends no SIGCHLD and that only a wait with __WALL
// sees.
//
// Thread rule: one thread at a time.
class HelperProcess {
 public:
  // How long its end is waited for before it is killed or left alone.
  static constexpr Duration kPatience = std::chrono::seconds(1);

  HelperProcess() = default;
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;
  // Waits for its end for kPatience. Then, if the target does not need it, it is killed. Else it is
  // left alone, and a thread waits for it: no zombie stays in either case.
  ~HelperProcess();

  // Forks. `order` is read in the child's copy of our memory. Once only.
  Result<void> Start(HelperBody body, const void* order);

  // True when it ended, in this time; it has been reaped then.
  bool AwaitEnd(Duration timeout);

  pid_t pid() const { return pid_; }

 private:
  void Kill();
  // Returns true when it is gone, whoever waited for it.
  bool Reap();

  pid_t pid_ = 0;  // 0: none, or reaped
  UniqueFd pidfd_;
  Shared<HelperLease> lease_;
};

// Of the helper itself, first thing: out of reach of what would kill it in the middle, as far as we
// may (the terminal's signals, the out-of-memory killer).
void ShelterHelper();
// Descriptors of the program it was forked from: a pipe held open here would keep its other end
// waiting. Keeps those in `kept`, which is sorted by this; entries below zero are skipped.
void CloseAllBut(std::span<int> kept);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_HELPER_PROCESS_H_
