// What targets do in more than one of the attach tests.
#ifndef STILLFRAME_TESTS_KERNEL_ATTACH_BODIES_H_
#define STILLFRAME_TESTS_KERNEL_ATTACH_BODIES_H_

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "attach_child.h"

namespace stillframe::test {

// `starters` threads each start eight others all the time and wait for their end; each of these
// makes one step of progress.
void StartAndEndThreads(Board& board, int starters);

// One thread makes progress. When `value[0]` is set another one waits for a vfork child, and can't
// be stopped before `stop`; then it goes on, sets `value[2]`, and ends the process when `value[3]`
// is set. `value[1]`: it waits.
void WaitForVforkChild(Board& board);

// Handles numbered signals: `progress` counts them, `failures` those out of order. Half of the time
// in user mode, half in a system call.
void HandleNumberedSignals(Board& board);
void TakeNumberedSignals(Board& board);
inline const int kNumberedSignal = SIGRTMIN + 1;

// Sends them, two a millisecond at most, until it is asked for their number.
class NumberedSignals {
 public:
  explicit NumberedSignals(pid_t to);
  NumberedSignals(const NumberedSignals&) = delete;
  NumberedSignals& operator=(const NumberedSignals&) = delete;
  ~NumberedSignals();
  uint64_t Stop();

 private:
  std::atomic<bool> done_ = false;
  uint64_t sent_ = 0;
  std::thread thread_;
};

// All words hold one number, or those before a place that number and those behind it the last one.
inline constexpr size_t kWords = 64 * 1024;
extern std::array<std::atomic<uint64_t>, kWords> words;
void CountInAllWords(Board& board);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_KERNEL_ATTACH_BODIES_H_
