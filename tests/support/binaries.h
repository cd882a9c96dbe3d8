// Where the programs under test are.
#ifndef STILLFRAME_TESTS_SUPPORT_BINARIES_H_
#define STILLFRAME_TESTS_SUPPORT_BINARIES_H_

#include <string>

namespace stillframe::test {

// bin/NAME of this build: "stillframe", "stillframe-workload", "stillframe-oracle".
std::string Binary(const std::string& name);
// A small target of the e2e tests.
std::string TestTarget(const std::string& name);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_BINARIES_H_
