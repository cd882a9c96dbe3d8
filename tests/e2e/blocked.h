// The program whose threads are blocked in system calls, seen from a test.
#ifndef STILLFRAME_TESTS_E2E_BLOCKED_H_
#define STILLFRAME_TESTS_E2E_BLOCKED_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <string>

#include "support/files.h"
#include "support/process_view.h"
#include "support/subprocess.h"

namespace stillframe::test {

inline constexpr size_t kBlockedThreads = 8;

// Waits until each thread of a blocked_target is in its call, as the kernel says: the calls by
// thread. Empty, and a failure of the current test, when it never comes to that.
inline std::map<pid_t, long> AwaitBlocked(const Subprocess& target) {
  std::map<pid_t, long> calls;
  const bool all_told = Eventually([&] {
    calls.clear();
    for (const std::string& line : Lines(target.Out())) {
      std::istringstream words(line);
      std::string ready;
      pid_t thread = 0;
      long call = 0;
      if (words >> ready >> thread >> call) calls[thread] = call;
    }
    return calls.size() == kBlockedThreads;
  });
  const bool all_blocked =
      all_told && Eventually([&] {
        return std::all_of(calls.begin(), calls.end(), [&](const auto& thread) {
          return CallOf(target.pid(), thread.first) == thread.second;
        });
      });
  if (all_blocked) return calls;
  ADD_FAILURE() << "not all threads are blocked: " << target.Out() << target.Err();
  return {};
}

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_BLOCKED_H_
