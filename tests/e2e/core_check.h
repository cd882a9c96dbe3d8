// What the tests of `core` share.
#ifndef STILLFRAME_TESTS_E2E_CORE_CHECK_H_
#define STILLFRAME_TESTS_E2E_CORE_CHECK_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/binaries.h"
#include "support/core_compare.h"
#include "support/core_file.h"
#include "support/files.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"

namespace stillframe::test {

class CoreTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  std::string core() const { return directory_ / "core"; }
  // What WithWitnesses leaves behind.
  std::string copy() const { return directory_ / "copy"; }
  std::string maps() const { return ReadFile(directory_ / "maps"); }
  // A line per thread: its id, and what /proc/PID/task/TID/syscall said.
  std::string positions() const { return ReadFile(directory_ / "positions"); }

  // "--exec-paused" that keeps what can be seen of the target at the instant by other means: its
  // memory, its mappings, and where each thread stands.
  std::vector<std::string> WithWitnesses(std::vector<std::string> more = {}) const {
    std::vector<std::string> witnesses = WithOracle(copy());
    witnesses.back() += " && cat /proc/$STILLFRAME_PID/maps > " + (directory_ / "maps") +
                        " && for t in /proc/$STILLFRAME_PID/task/*; do"
                        " echo ${t##*/} $(cat $t/syscall); done > " +
                        (directory_ / "positions");
    more.insert(more.end(), witnesses.begin(), witnesses.end());
    return more;
  }

  // Its memory and its segments are those of the instant, and its account is that of the summary.
  std::unique_ptr<CoreFile> ExpectCoreOfTheInstant(const CommandOutcome& outcome) const {
    EXPECT_EQ(WrongInSummary(outcome.json), "") << outcome.json.dump(1);
    EXPECT_EQ(outcome.exit_code == kExitLost, outcome.json["pages"]["lost"] != 0) << outcome.err;
    auto file = OpenCore(core());
    if (!file) return nullptr;
    const std::vector<AddressRange> left_out = LeftOutIn(outcome.json);
    const std::vector<AddressRange> lost = LostIn(outcome.json);
    std::vector<AddressRange> unsaved = left_out;
    unsaved.insert(unsaved.end(), lost.begin(), lost.end());
    const auto report = CompareCoreWithOracle(copy(), *file, unsaved);
    if (!report) {
      ADD_FAILURE() << report.error().message;
      return file;
    }
    EXPECT_GT(report->equal.count, 0);
    for (const std::string& difference : report->differences) ADD_FAILURE() << difference;
    for (const std::string& wrong : WrongInSegments(*file, maps(), left_out, lost)) {
      ADD_FAILURE() << wrong;
    }
    return file;
  }

  TempDir directory_;
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_CORE_CHECK_H_
