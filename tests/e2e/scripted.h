// The scripted target, seen from a test.
#ifndef STILLFRAME_TESTS_E2E_SCRIPTED_H_
#define STILLFRAME_TESTS_E2E_SCRIPTED_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <sstream>
#include <string>

#include "base/unique_fd.h"
#include "stillframe/units.h"
#include "support/binaries.h"
#include "support/process_view.h"
#include "support/subprocess.h"
#include "support/temp_dir.h"

namespace stillframe::test {

class ScriptedTarget {
 public:
  explicit ScriptedTarget(size_t mib = 24)
      : fifo_path_(MakeFifo(directory_ / "fifo")),
        process_({TestTarget("scripted_target"), std::to_string(mib), fifo_path_}) {
    if (!process_.WaitForOut("\n")) {
      ADD_FAILURE() << "the scripted target did not start: " << process_.Err();
      return;
    }
    std::istringstream ready(process_.Out());
    std::string word;
    size_t pages = 0;
    ready >> word >> anonymous_.begin.value >> shared_.begin.value >> pages;
    anonymous_.end = anonymous_.begin + ToBytes({pages});
    shared_.end = shared_.begin + ToBytes({pages});
    descriptors_ = DescriptorsOf(pid());
  }

  pid_t pid() const { return process_.pid(); }
  Subprocess& process() { return process_; }
  const std::string& fifo() const { return fifo_path_; }
  AddressRange anonymous() const { return anonymous_; }
  AddressRange shared() const { return shared_; }

  // Tells it to do something and waits until it says that it has.
  bool Do(const std::string& action) {
    Tell(action);
    return process_.WaitForOut("done " + action + "\n");
  }
  void Tell(const std::string& action) const {
    const UniqueFd fifo(open(fifo_path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    const std::string line = action + "\n";
    EXPECT_EQ(write(fifo.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  // Empty when it runs, untraced, with the descriptors it had at first.
  std::string WhatIsWrong() {
    if (!process_.IsRunning()) return "it ended with " + std::to_string(*process_.Wait());
    return TracesLeftOn(pid(), descriptors_);
  }

 private:
  static std::string MakeFifo(const std::string& path) {
    EXPECT_EQ(mkfifo(path.c_str(), 0666), 0);
    return path;
  }

  TempDir directory_;
  const std::string fifo_path_;
  Subprocess process_;
  AddressRange anonymous_;
  AddressRange shared_;
  std::map<int, std::string> descriptors_;
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_SCRIPTED_H_
