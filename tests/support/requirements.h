// What a test needs of the machine. Missing, it is skipped loudly; where skips are not allowed
// (CI), it fails.
#ifndef STILLFRAME_TESTS_SUPPORT_REQUIREMENTS_H_
#define STILLFRAME_TESTS_SUPPORT_REQUIREMENTS_H_

#include <gtest/gtest.h>

#include <string>

namespace stillframe::test {

// With STILLFRAME_NO_SKIP=1 in the environment nothing may be skipped.
bool SkipsAreFailures();

// Empty when it is there, else what is missing.
std::string MissingUserfaultfd();
std::string MissingRoot();
std::string MissingProgram(const std::string& name);

}  // namespace stillframe::test

// Ends the test, by a loud skip or a failure, when `missing` (a string) is not empty.
#define STILLFRAME_REQUIRE(missing)                                               \
  do {                                                                            \
    const std::string stillframe_missing = (missing);                             \
    if (stillframe_missing.empty()) break;                                        \
    if (::stillframe::test::SkipsAreFailures()) {                                 \
      FAIL() << "this machine lacks: " << stillframe_missing;                     \
    }                                                                             \
    GTEST_SKIP() << "*** SKIPPED *** this machine lacks: " << stillframe_missing; \
  } while (false)

#endif  // STILLFRAME_TESTS_SUPPORT_REQUIREMENTS_H_
