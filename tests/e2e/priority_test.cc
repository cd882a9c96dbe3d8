// Who scans and writes runs below the tracker, with the right to raise a priority and without.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <map>
#include <string>
#include <vector>

#include "support/files.h"
#include "support/process_view.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/subprocess.h"
#include "support/temp_dir.h"
#include "support/workload_process.h"

namespace stillframe::test {
namespace {

// The nice values of the threads, by name; of several with one name the highest.
std::map<std::string, int> NiceValues(pid_t pid) {
  std::map<std::string, int> values;
  for (const pid_t tid : ThreadsOf(pid)) {
    const std::string task = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid);
    std::string name = Exists(task + "/comm") ? ReadFile(task + "/comm") : "";
    if (!name.empty()) name.pop_back();
    values.try_emplace(name, -20);
    values[name] = std::max(values[name], getpriority(PRIO_PROCESS, static_cast<id_t>(tid)));
  }
  return values;
}

class PriorityTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  // While pages are saved.
  std::map<std::string, int> DuringASave(std::vector<std::string> argv) {
    WorkloadProcess workload({"--memory", "32M", "--threads", "1", "--only", "random"});
    const TempDir directory;
    for (const std::string& argument :
         SaveArgv(workload.pid(), directory / "image", {"--max-bandwidth", "4M"})) {
      argv.push_back(argument);
    }
    Subprocess save(argv);
    std::map<std::string, int> values;
    EXPECT_TRUE(Eventually([&] {
      values = NiceValues(save.pid());
      return values.contains("stillframe-out") || !save.IsRunning();
    })) << save.Err();
    EXPECT_TRUE(values.contains("stillframe-trk"));
    return values;
  }
};

TEST_F(PriorityTest, WithTheRightToItTheTrackerIsRaisedAndNobodyElseIsTouched) {
  auto values = DuringASave({});
  if (values["stillframe-trk"] == 0) GTEST_SKIP() << "without CAP_SYS_NICE";
  EXPECT_EQ(values["stillframe-trk"], -10);
  EXPECT_EQ(values["stillframe-out"], 0);
  EXPECT_FALSE(values.contains("stillframe-scan"));
}

TEST_F(PriorityTest, WithoutItScanAndOutputAreLoweredInstead) {
  auto values = DuringASave({"setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice"});
  EXPECT_EQ(values["stillframe-trk"], 0);
  EXPECT_EQ(values["stillframe-out"], 5);
}

TEST_F(PriorityTest, AllOfItIsRelativeToThePriorityOfTheCommand) {
  auto values = DuringASave(
      {"nice", "-n", "3", "setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice"});
  EXPECT_EQ(values["stillframe-trk"], 3);
  EXPECT_EQ(values["stillframe-out"], 8);
}

}  // namespace
}  // namespace stillframe::test
