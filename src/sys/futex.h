// futex(2) between threads of this process: std::atomic's waiting knows no timeout.
#ifndef STILLFRAME_SYS_FUTEX_H_
#define STILLFRAME_SYS_FUTEX_H_

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "stillframe/units.h"

namespace stillframe {

// Sleeps while `word` is `expected`, at most so long. May also return for no reason. No allocation.
inline void FutexWait(std::atomic<uint32_t>* word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}
inline void FutexWait(std::atomic<uint32_t>* word, uint32_t expected, Duration timeout) {
  constexpr int64_t kSecond = 1'000'000'000;
  const timespec wait{.tv_sec = timeout.count() / kSecond, .tv_nsec = timeout.count() % kSecond};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, &wait, nullptr, 0);
}

// Wakes all that sleep on it.
inline void FutexWakeAll(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
}

}  // namespace stillframe

#endif  // STILLFRAME_SYS_FUTEX_H_
