// A forked child for the attach tests: it does one thing, checks itself, and tells over a shared
// page how it is doing.
#ifndef STILLFRAME_TESTS_KERNEL_ATTACH_CHILD_H_
#define STILLFRAME_TESTS_KERNEL_ATTACH_CHILD_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/process_state.h"
#include "stillframe/target.h"

namespace stillframe::test {

// Shared by parent and child. Lock-free, so a signal handler may write it as well.
struct Board {
  std::atomic<uint64_t> ready = 0;
  std::atomic<uint64_t> progress = 0;
  std::atomic<uint64_t> failures = 0;  // of the child's own checks
  std::atomic<uint64_t> stop = 0;      // set by the test: finish and exit with 0
  std::atomic<int64_t> value[8] = {};
};

// The child is killed and reaped with this object, by its pid.
class Child {
 public:
  // `body` runs in the child, which exits with 0 when it returns.
  explicit Child(const std::function<void(Board&)>& body);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  pid_t pid() const { return pid_; }
  Board& board() const { return *board_; }
  // Until the child has set `ready`.
  void AwaitReady() const;
  // True when `progress` goes up by `steps` within twenty seconds.
  bool Progresses(uint64_t steps = 3) const;
  // Waits for the child to end: its status as waitpid has it, -1 after twenty seconds.
  int AwaitEnd();
  // Text of a file of /proc/PID; the value of a field of its status.
  std::string ProcFile(const std::string& name) const;
  std::string StatusField(const std::string& name) const;
  // The descriptors it has open, as text.
  std::string OpenFiles() const;
  // "S", "T", ... of a thread; of the process itself with 0.
  std::string State(pid_t tid = 0) const;

 private:
  Board* board_;
  pid_t pid_ = 0;
  bool ended_ = false;
};

// Reads until it holds, for twenty seconds.
bool Eventually(const std::function<bool()>& condition);
std::string ReadAll(const std::string& path);

// True when the tests may use userfaultfd and ptrace on processes of their own; else the reason has
// been printed.
bool CanAttach();

// What of threads does not change while they stand still, nor hardly ever while they sleep: all but
// their CPU times.
std::vector<ThreadState> WithoutTimes(std::vector<ThreadState> threads);

// Attaches, pauses, captures, resumes and drops the target, `rounds` times. Returns the first
// error's message, empty for none.
std::string AttachAndPause(pid_t pid, int rounds);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_KERNEL_ATTACH_CHILD_H_
