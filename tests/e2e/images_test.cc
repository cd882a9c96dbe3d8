// Images that belong together, by the command: differences, a watched process, what is compared,
// merged and thinned out.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "evaluate/ticket_check.h"
#include "image_check.h"
#include "support/files.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"
#include "support/workload_process.h"

namespace stillframe::test {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kFirstImage = {"image-000001"};

class ImagesTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  // A workload that writes tickets, so that each image can tell by itself whether it is one
  // instant.
  static std::vector<std::string> Tickets() {
    return {"--memory", "8M", "--only", "tickets", "--threads", "3", "--ticket-pages", "1024"};
  }
  static void ExpectOneInstant(WorkloadProcess& workload, const std::string& path) {
    const auto image = OpenImage(path);
    ASSERT_NE(image, nullptr);
    const auto verified = image->Verify();
    EXPECT_TRUE(verified) << verified.error().message;
    const auto report = evaluate::CheckTickets(
        workload.tickets(),
        [&](TargetAddress from, std::span<std::byte> to) { return image->Read(from, to); });
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->problems, std::vector<std::string>()) << path;
  }

  std::vector<std::string> ImagesIn(const std::string& directory) const {
    std::vector<std::string> images;
    for (const auto& entry : fs::directory_iterator(directory)) {
      images.push_back(entry.path().filename().string());
    }
    std::ranges::sort(images);
    return images;
  }
  std::vector<std::string> WatchArgv(pid_t pid, const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"watch", std::to_string(pid), "-o", series_, "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  TempDir directory_;
  const std::string series_ = directory_ / "series";
};

TEST_F(ImagesTest, ADifferenceHoldsWhatTheProcessHeld) {
  WorkloadProcess workload(Tickets());
  const std::string first = directory_ / "first";
  const std::string second = directory_ / "second";
  for (const std::string via : {"wp", "fork", "precopy", "stop"}) {
    ASSERT_EQ(RunSave(workload.pid(), first, {"--force"}).exit_code, kExitDone);
    const CommandOutcome save =
        RunSave(workload.pid(), second, {"--force", "--parent", first, "--via", via});
    ASSERT_EQ(save.exit_code, kExitDone) << save.err;
    EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
    EXPECT_GT(save.json["pages"]["in_parent"], 0);
    ExpectOneInstant(workload, second);
  }
  EXPECT_EQ(workload.WhatIsWrong(), "");
}

TEST_F(ImagesTest, AParentThatIsNoneIsRefused) {
  WorkloadProcess workload(Tickets());
  WorkloadProcess other(Tickets());
  const std::string first = directory_ / "first";
  const std::string second = directory_ / "second";
  const auto expect_refused = [&](pid_t pid, const std::string& output, const std::string& parent,
                                  int code, const std::string& says) {
    const CommandOutcome save = RunSave(pid, output, {"--force", "--parent", parent});
    EXPECT_EQ(save.exit_code, code) << save.err;
    EXPECT_NE(save.err.find(says), std::string::npos) << save.err;
    EXPECT_EQ(WrongInError(save.json), "");
    EXPECT_FALSE(Exists(second));
  };
  expect_refused(workload.pid(), second, first, kExitUsage, "first");
  ASSERT_EQ(RunSave(workload.pid(), first).exit_code, kExitDone);
  expect_refused(other.pid(), second, first, kExitUsage, "of another process");
  expect_refused(workload.pid(), first, first, kExitUsage, "replace");
  WriteFile(directory_ / "text", "no image");
  expect_refused(workload.pid(), second, directory_ / "text", kExitDamaged, "not a Stillframe");
  fs::resize_file(first, fs::file_size(first) - 100);
  expect_refused(workload.pid(), second, first, kExitDamaged, "first");
  EXPECT_EQ(workload.WhatIsWrong(), "");
}

TEST_F(ImagesTest, AWatchedProcessHasAnImageOfEachInstant) {
  WorkloadProcess workload(Tickets());
  const CommandOutcome watch =
      RunStillframe(WatchArgv(workload.pid(), {"--every", "20ms", "--count", "8"}));
  ASSERT_EQ(watch.exit_code, kExitDone) << watch.err;
  const std::vector<std::string> lines = Lines(watch.out);
  ASSERT_EQ(lines.size(), 8u);
  for (const std::string& line : lines) {
    EXPECT_EQ(WrongInSummary(nlohmann::json::parse(line)), "") << line;
  }
  const std::vector<std::string> images = ImagesIn(series_);
  ASSERT_EQ(images.size(), 8u);
  EXPECT_EQ(images.front(), "image-000001");
  for (const std::string& image : images) ExpectOneInstant(workload, series_ + "/" + image);
  EXPECT_EQ(OpenImage(series_ + "/image-000008")->chain().size(), 8u);
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

TEST_F(ImagesTest, OldImagesGoAndTheRestStaysWhole) {
  WorkloadProcess workload(Tickets());
  const CommandOutcome watch =
      RunStillframe(WatchArgv(workload.pid(), {"--every", "10ms", "--count", "11", "--keep", "3"}));
  ASSERT_EQ(watch.exit_code, kExitDone) << watch.err;
  // Six at the most: then the oldest three go.
  const std::vector<std::string> images = ImagesIn(series_);
  EXPECT_EQ(images, (std::vector<std::string>{"image-000007", "image-000008", "image-000009",
                                              "image-000010", "image-000011"}));
  for (const std::string& image : images) ExpectOneInstant(workload, series_ + "/" + image);
}

TEST_F(ImagesTest, AWatchGoesOnWhereDedupWas) {
  WorkloadProcess workload(Tickets());
  ASSERT_EQ(RunStillframe(WatchArgv(workload.pid(), {"--every", "10ms", "--count", "4"})).exit_code,
            kExitDone);
  ASSERT_EQ(RunStillframe({"dedup", series_}).exit_code, kExitDone);
  const CommandOutcome watch =
      RunStillframe(WatchArgv(workload.pid(), {"--every", "10ms", "--count", "2", "--keep", "2"}));
  ASSERT_EQ(watch.exit_code, kExitDone) << watch.err;
  for (const std::string& image : ImagesIn(series_)) {
    if (image.find('.') == std::string::npos) ExpectOneInstant(workload, series_ + "/" + image);
  }
}

TEST_F(ImagesTest, ASignalEndsItAndTheNextOneGoesOn) {
  WorkloadProcess workload(Tickets());
  for (const int signal : {SIGTERM, SIGINT}) {
    Subprocess watch(StillframeArgv(WatchArgv(workload.pid(), {"--every", "100ms"})));
    const size_t before = Exists(series_) ? ImagesIn(series_).size() : 0;
    ASSERT_TRUE(
        Eventually([&] { return Exists(series_) && ImagesIn(series_).size() >= before + 2; }));
    kill(watch.pid(), signal);
    EXPECT_EQ(watch.Wait(), kExitDone) << watch.Err();
  }
  const std::vector<std::string> images = ImagesIn(series_);
  EXPECT_GE(images.size(), 4u);
  EXPECT_EQ(OpenImage(series_ + "/" + images.back())->chain().size(), images.size());
  for (const std::string& image : images) ExpectOneInstant(workload, series_ + "/" + image);
  EXPECT_EQ(workload.WhatIsWrong(), "");

  WorkloadProcess other(Tickets());
  const CommandOutcome refused = RunStillframe(WatchArgv(other.pid(), {"--count", "1"}));
  EXPECT_EQ(refused.exit_code, kExitUsage);
  EXPECT_NE(refused.err.find("of another process"), std::string::npos) << refused.err;
}

TEST_F(ImagesTest, AReaderThatStoppedReadingKeepsNoSignalFromIt) {
  WorkloadProcess workload(Tickets());
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const std::string full(static_cast<size_t>(fcntl(write_end.get(), F_GETPIPE_SZ)), '-');
  ASSERT_EQ(write(write_end.get(), full.data(), full.size()), static_cast<ssize_t>(full.size()));
  SubprocessOptions options;
  options.stdout_fd = write_end.get();
  Subprocess watch(StillframeArgv(WatchArgv(workload.pid(), {"--every", "10ms"})), options);
  write_end.reset();
  ASSERT_TRUE(Eventually([&] { return Exists(series_) && ImagesIn(series_) == kFirstImage; }));
  kill(watch.pid(), SIGTERM);
  EXPECT_EQ(watch.Wait(), kExitDone) << watch.Err();
  // It was being told of when the signal came.
  EXPECT_EQ(ImagesIn(series_), kFirstImage);
  ExpectOneInstant(workload, series_ + "/" + kFirstImage.front());
}

TEST_F(ImagesTest, KilledAtAnyMomentItLeavesTheTargetAndTheChainWhole) {
  WorkloadProcess workload(Tickets());
  std::mt19937 random(5);
  for (int round = 0; round < 8; ++round) {
    Subprocess watch(StillframeArgv(
        WatchArgv(workload.pid(), {"--every", "5ms", "--keep", "2", "--compress", "none"})));
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 400));
    kill(watch.pid(), SIGKILL);
    watch.Wait();
    EXPECT_EQ(workload.WhatIsWrong(), "");
    if (!Exists(series_)) continue;
    for (const std::string& image : ImagesIn(series_)) {
      if (image.starts_with("image-") && image.find('.') == std::string::npos) {
        ExpectOneInstant(workload, series_ + "/" + image);
      }
    }
  }
  EXPECT_EQ(workload.Finish(), 0);
}

TEST_F(ImagesTest, KilledWhileOldImagesGoItLosesNothing) {
  WorkloadProcess workload(Tickets());
  for (const std::string step : {"watch.merged:1", "watch.removed:1", "watch.removed:2"}) {
    SubprocessOptions options;
    options.environment["STILLFRAME_FAIL_POINT"] = step;
    const CommandOutcome watch =
        RunStillframe(WatchArgv(workload.pid(), {"--every", "5ms", "--keep", "2"}), options);
    EXPECT_EQ(watch.exit_code, kExitSigkill) << step << ": " << watch.err;
    for (const std::string& image : ImagesIn(series_)) {
      if (image.find('.') == std::string::npos) ExpectOneInstant(workload, series_ + "/" + image);
    }
    EXPECT_EQ(workload.WhatIsWrong(), "");
  }
  ASSERT_EQ(
      RunStillframe(WatchArgv(workload.pid(), {"--every", "5ms", "--keep", "2", "--count", "3"}))
          .exit_code,
      kExitDone);
  EXPECT_LT(ImagesIn(series_).size(), 4u);
}

TEST_F(ImagesTest, KilledAtEachStepMergeAndDedupLoseNothing) {
  WorkloadProcess workload(Tickets());
  ASSERT_EQ(RunStillframe(WatchArgv(workload.pid(), {"--every", "10ms", "--count", "3"})).exit_code,
            kExitDone);
  const std::string last = series_ + "/image-000003";
  const std::vector<std::vector<std::string>> commands = {
      {"dedup", series_}, {"merge", last, "-o", last, "--force", "--compress", "none"}};
  for (const std::vector<std::string>& command : commands) {
    // On a copy: which steps there are.
    const std::string trace = directory_ / (command.front() + ".trace");
    const std::string whole = directory_ / ("whole-" + command.front());
    fs::copy(series_, whole);
    const auto on = [&](const std::string& directory) {
      std::vector<std::string> arguments = command;
      for (std::string& argument : arguments) {
        if (argument.starts_with(series_)) argument.replace(0, series_.size(), directory);
      }
      return arguments;
    };
    SubprocessOptions options;
    options.environment["STILLFRAME_FAIL_TRACE"] = trace;
    ASSERT_EQ(RunStillframe(on(whole), options).exit_code, kExitDone);
    std::vector<std::string> steps = Lines(ReadFile(trace));
    std::ranges::sort(steps);
    steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
    ASSERT_GE(steps.size(), 2u);
    for (const std::string& step : steps) {
      const std::string copy = directory_ / (command.front() + "-" + step);
      fs::copy(series_, copy);
      SubprocessOptions kill;
      kill.environment["STILLFRAME_FAIL_POINT"] = step + ":1";
      EXPECT_EQ(RunStillframe(on(copy), kill).exit_code, kExitSigkill) << step;
      ExpectOneInstant(workload, copy + "/image-000003");
      EXPECT_EQ(RunStillframe({"verify", copy + "/image-000001"}).exit_code, kExitDone) << step;
      // And whoever tries again gets it done.
      EXPECT_EQ(RunStillframe(on(copy)).exit_code, kExitDone) << step;
      ExpectOneInstant(workload, copy + "/image-000003");
      fs::remove_all(copy);
    }
    fs::remove_all(whole);
  }
}

TEST_F(ImagesTest, AWatchOfNobodyLeavesNothingBehind) {
  WorkloadProcess workload(Tickets());
  const pid_t gone = workload.pid();
  EXPECT_EQ(workload.Finish(), 0);
  EXPECT_EQ(RunStillframe(WatchArgv(gone, {"--count", "1"})).exit_code, kExitTargetGone);
  EXPECT_FALSE(Exists(series_));
  // What was there before is nobody's to remove.
  ASSERT_TRUE(fs::create_directory(series_));
  EXPECT_EQ(RunStillframe(WatchArgv(gone, {"--count", "1"})).exit_code, kExitTargetGone);
  EXPECT_TRUE(Exists(series_));
}

TEST_F(ImagesTest, TheEndOfTheTargetEndsTheWatch) {
  WorkloadProcess workload(Tickets());
  Subprocess watch(StillframeArgv(WatchArgv(workload.pid(), {"--every", "50ms"})));
  ASSERT_TRUE(Eventually([&] { return Exists(series_) && ImagesIn(series_).size() >= 2; }));
  EXPECT_EQ(workload.Finish(), 0);
  EXPECT_EQ(watch.Wait(), kExitTargetGone);
  EXPECT_EQ(ImagesIn(series_).empty(), false);
}

TEST_F(ImagesTest, MergedComparedAndThinnedOut) {
  WorkloadProcess workload(Tickets());
  ASSERT_EQ(RunStillframe(WatchArgv(workload.pid(), {"--every", "10ms", "--count", "4"})).exit_code,
            kExitDone);
  const std::string last = series_ + "/image-000004";
  const std::string full = directory_ / "full";
  const CommandOutcome merge = RunStillframe({"merge", last, "-o", full, "--json"});
  ASSERT_EQ(merge.exit_code, kExitDone) << merge.err;
  EXPECT_EQ(merge.json["verb"], "merge");
  EXPECT_EQ(OpenImage(full)->chain().size(), 1u);
  ExpectOneInstant(workload, full);

  const CommandOutcome same = RunStillframe({"diff", last, full, "--json"});
  ASSERT_EQ(same.exit_code, kExitDone) << same.err;
  EXPECT_EQ(same.json["pages"]["changed"], 0) << same.json.dump(1);
  const CommandOutcome diff = RunStillframe({"diff", series_ + "/image-000001", last, "--json"});
  EXPECT_GT(diff.json["pages"]["changed"], 0) << diff.json.dump(1);

  const CommandOutcome dedup = RunStillframe({"dedup", series_, "--json"});
  ASSERT_EQ(dedup.exit_code, kExitDone) << dedup.err;
  EXPECT_EQ(dedup.json["images"], 4);
  EXPECT_EQ(dedup.json["ends"], 1);
  ExpectOneInstant(workload, last);
  const CommandOutcome again = RunStillframe({"diff", last, full, "--json"});
  EXPECT_EQ(again.json["pages"]["changed"], 0);

  // Merged into its own place it still stands for what it was.
  ASSERT_EQ(RunStillframe({"merge", last, "-o", last, "--force"}).exit_code, kExitDone);
  ExpectOneInstant(workload, last);
  EXPECT_EQ(OpenImage(last)->chain().size(), 1u);
}

}  // namespace
}  // namespace stillframe::test
