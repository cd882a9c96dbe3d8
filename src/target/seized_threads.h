// The threads of a process that we have seized.
#ifndef STILLFRAME_TARGET_SEIZED_THREADS_H_
#define STILLFRAME_TARGET_SEIZED_THREADS_H_

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "stillframe/error.h"
#include "target/tracee_reaper.h"

namespace stillframe {

// Thread rule: one thread, the tracer: the kernel lets go of a tracer's threads when it ends, in
// whatever way. ReapIfStuck, and what is const, may be called by another one.
//
// It never waits for "any child": the program it is in has children of its own.
class SeizedThreads {
 public:
  struct Thread {
    bool asked = false;    // to stop
    bool stopped = false;  // and not let go since
    bool gone = false;     // let go, or dead
    bool passed = false;   // let go after it had stopped, and not to be seized again
  };

  // Borrows the descriptor of /proc/PID.
  SeizedThreads(int directory, pid_t pid) : directory_(directory), pid_(pid) {}
  SeizedThreads(const SeizedThreads&) = delete;
  SeizedThreads& operator=(const SeizedThreads&) = delete;

  struct Look {
    size_t found = 0;    // how many were seized now
    bool whole = false;  // no thread can have been missed
  };
  // Seizes those that are not yet, which stops nobody. `foreign`: one that somebody else holds, 0
  // for none. `leave_out`: threads that need not be seized; may be empty.
  Result<Look> SeizeNew(pid_t foreign = 0, const std::function<bool(pid_t)>& leave_out = nullptr);
  // Asks all to stop that were not asked yet.
  void AskAll();
  // Looks once whether a thread that was asked has stopped. Whoever tells nothing for long may have
  // nothing to tell any more: ForgetLost.
  void Collect(pid_t tid, Thread* thread);
  void ForgetLost();
  // One try to let go of a thread; whoever is still on its way to a stop, or to death, is not gone
  // after it.
  void Release(pid_t tid, Thread* thread);
  // Drops what is gone.
  void DropGone();
  // Forgets all, and says whether nothing can be left that we hold: false when some died, became
  // another's by exec, or never came to a stop.
  bool Forget();
  void ReapIfStuck() { reaper_.ReapIfStuck(); }
  // For whoever waits for another process of ours that seizes.
  TraceeReaper& reaper() { return reaper_; }

  // By number.
  std::map<pid_t, Thread>& all() { return threads_; }
  std::vector<pid_t> Stopped() const;
  // The process has as many threads as have stopped, and `others`.
  bool HoldsAll(size_t others) const;
  // "12 (name), 13 (name)": those that were asked and have not stopped.
  std::string Waiting() const;

 private:
  std::vector<pid_t> FindNew(pid_t foreign, const std::function<bool(pid_t)>& leave_out,
                             bool* whole) const;
  // False for a thread that needs no stopping.
  Result<bool> Seize(pid_t tid);
  void Lose(Thread* thread);
  // As many as there are, the dead that are still listed and the kernel's workers included.
  size_t CountThreads() const;
  bool IsOurs(pid_t tid) const;

  int directory_;
  pid_t pid_;
  std::map<pid_t, Thread> threads_;
  TraceeReaper reaper_;
  bool lost_ = false;  // something seized went without being let go
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_SEIZED_THREADS_H_
