// A save that is slow on purpose, so that a test can do something in the middle of it.
#ifndef STILLFRAME_TESTS_E2E_SLOW_SAVE_H_
#define STILLFRAME_TESTS_E2E_SLOW_SAVE_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/files.h"
#include "support/stillframe_command.h"
#include "support/subprocess.h"
#include "support/temp_dir.h"

namespace stillframe::test {

class SlowSave {
 public:
  using MakeArgv = std::vector<std::string> (*)(pid_t pid, const std::string& output,
                                                const std::vector<std::string>& more);

  // Returns when the instant of the image is over and the target runs again, the scan only just
  // begun. `make_argv`: SaveArgv or CoreArgv.
  SlowSave(pid_t pid, const std::vector<std::string>& more = {}, MakeArgv make_argv = SaveArgv)
      : process_(make_argv(pid, image(), Arguments(more))) {
    begun_ = Eventually([&] { return Exists(directory_ / "instant") || !process_.IsRunning(); }) &&
             process_.IsRunning();
    EXPECT_TRUE(begun_) << process_.Out() << process_.Err();
  }

  bool begun() const { return begun_; }
  std::string image() const { return directory_ / "image"; }
  Subprocess& process() { return process_; }
  CommandOutcome Outcome() { return OutcomeOf(process_); }
  // All that is left in the directory of the image, our own mark not counted.
  std::vector<std::string> Left() const {
    std::vector<std::string> names = directory_.List();
    std::erase(names, "instant");
    return names;
  }

 private:
  std::vector<std::string> Arguments(std::vector<std::string> more) const {
    more.insert(more.end(), {"--max-bandwidth", "2M", "--stage", "1M", "--max-stall", "60s",
                             "--exec-paused", "touch " + (directory_ / "instant")});
    return more;
  }

  TempDir directory_;
  Subprocess process_;
  bool begun_ = false;
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_SLOW_SAVE_H_
