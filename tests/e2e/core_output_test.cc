// Where a core goes to: files that appear whole or not at all, streams, and cores out of images.
#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core_check.h"
#include "scripted.h"
#include "slow_save.h"
#include "support/process_view.h"
#include "support/small_disk.h"

namespace stillframe::test {
namespace {

using nlohmann::literals::operator""_json_pointer;

class CoreOutputTest : public CoreTest {
 protected:
  // Stands still from here on: what is taken twice is the same twice.
  void StopTarget() {
    target_.process().Signal(SIGSTOP);
    ASSERT_TRUE(Eventually([&] { return StateOf(target_.pid()) == 'T'; }));
  }

  // What a command writes to its stdout, in a file of this name.
  CommandOutcome RunInto(const std::string& name, const std::vector<std::string>& argv) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    Subprocess process(argv, {.stdout_fd = writer.get()});
    writer.reset();
    const UniqueFd file(
        open((directory_ / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    std::vector<char> buffer(1 << 16);
    for (ssize_t n; (n = read(reader.get(), buffer.data(), buffer.size())) > 0;) {
      EXPECT_EQ(write(file.get(), buffer.data(), static_cast<size_t>(n)), n);
    }
    return OutcomeOf(process);
  }

  void ExpectRefused(const CommandOutcome& outcome, int exit_code, const std::string& code) {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_EQ(WrongInError(outcome.json), "") << outcome.out;
    EXPECT_EQ(outcome.json.value("/error/code"_json_pointer, ""), code) << outcome.out;
    EXPECT_EQ(target_.WhatIsWrong(), "");
  }

  ScriptedTarget target_{4};
};

// That both hold the same: contents segment by segment, and notes one by one.
void ExpectSameCores(const CoreFile& a, const CoreFile& b) {
  ASSERT_EQ(a.segments().size(), b.segments().size());
  for (size_t i = 0; i < a.segments().size(); ++i) {
    const CoreSegment& of_a = a.segments()[i];
    const CoreSegment& of_b = b.segments()[i];
    ASSERT_EQ(of_a.range, of_b.range) << i;
    EXPECT_EQ(of_a.flags, of_b.flags) << i;
    ASSERT_EQ(of_a.file_size, of_b.file_size) << i;
    EXPECT_EQ(FirstDifference(a, b, of_a.contents()).value_or(""), "") << i;
  }
  ASSERT_EQ(a.notes().size(), b.notes().size());
  for (size_t i = 0; i < a.notes().size(); ++i) {
    const CoreNote& of_a = a.notes()[i];
    const CoreNote& of_b = b.notes()[i];
    EXPECT_EQ(of_a.name, of_b.name) << i;
    EXPECT_EQ(of_a.type, of_b.type) << i;
    // Ours tells the time of the instant and how long the pause was. NT_PRPSINFO begins with the
    // state of the process, and a stopped job that was set going by a tracer is for a moment on its
    // way to be one again.
    if (of_a.name == "Stillframe") continue;
    const size_t from = of_a.type == NT_PRPSINFO ? offsetof(elf_prpsinfo, pr_nice) : 0;
    EXPECT_TRUE(
        std::ranges::equal(std::span(of_a.data).subspan(from), std::span(of_b.data).subspan(from)))
        << of_a.name << " " << of_a.type;
  }
}

TEST_F(CoreOutputTest, IsPublishedForItsOwnerOnlyAndWithHolesForZeros) {
  const CommandOutcome outcome = RunCore(target_.pid(), core());
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  EXPECT_EQ(directory_.List(), std::vector<std::string>{"core"});
  struct stat status;
  ASSERT_EQ(stat(core().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  EXPECT_LT(status.st_blocks * 512, status.st_size);
  ASSERT_NE(OpenCore(core()), nullptr);
}

TEST_F(CoreOutputTest, WithoutANameItGoesToCorePidInTheCurrentDirectory) {
  SubprocessOptions options;
  options.directory = directory_.path();
  const CommandOutcome outcome = RunStillframe(
      {"core", std::to_string(target_.pid()), "--json", "--progress", "none"}, options);
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  const std::string name = "core." + std::to_string(target_.pid());
  EXPECT_EQ(directory_.List(), std::vector<std::string>{name});
}

TEST_F(CoreOutputTest, AStreamHoldsWhatAFileDoes) {
  StopTarget();
  ASSERT_EQ(RunCore(target_.pid(), core()).exit_code, kExitDone);
  const auto file = OpenCore(core());
  ASSERT_NE(file, nullptr);
  for (const std::string way : {"fork", "stop"}) {
    SCOPED_TRACE(way);
    const CommandOutcome outcome =
        RunInto("stream-" + way, CoreArgv(target_.pid(), "-", {"--via", way}));
    ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
    const auto stream = OpenCore(directory_ / ("stream-" + way));
    ASSERT_NE(stream, nullptr);
    ExpectSameCores(*file, *stream);
  }
}

TEST_F(CoreOutputTest, AStreamOfARunningTargetIsThatOfTheInstant) {
  for (const std::string way : {"fork", "stop"}) {
    SCOPED_TRACE(way);
    CommandOutcome outcome =
        RunInto("core", CoreArgv(target_.pid(), "-", WithWitnesses({"--via", way})));
    ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
    // The summary is the last line of stderr then.
    outcome.json = nlohmann::json::parse(Lines(outcome.err).back(), nullptr, false);
    ExpectCoreOfTheInstant(outcome);
    std::filesystem::remove_all(copy());
  }
}

TEST_F(CoreOutputTest, WaysThatSaveInNoOrderTakeNoStream) {
  const std::vector<std::vector<std::string>> ways = {
      {}, {"--via", "wp"}, {"--via", "precopy"}, {"--instant", "late"}};
  for (std::vector<std::string> more : ways) {
    more.insert(more.end(), {"--exec-paused", "touch " + (directory_ / "paused")});
    CommandOutcome outcome = RunInto("stream", CoreArgv(target_.pid(), "-", more));
    outcome.json = nlohmann::json::parse(Lines(outcome.err).back(), nullptr, false);
    ExpectRefused(outcome, kExitUsage, "usage");
    const std::string hint = outcome.json.value("/error/hint"_json_pointer, "");
    EXPECT_NE(hint.find("--via fork"), std::string::npos) << hint;
    EXPECT_EQ(std::filesystem::file_size(directory_ / "stream"), 0u);
    EXPECT_FALSE(Exists(directory_ / "paused")) << "the target was touched";
  }
}

TEST_F(CoreOutputTest, ADeviceIsAStream) {
  EXPECT_EQ(RunCore(target_.pid(), "/dev/null", {"--via", "fork"}).exit_code, kExitDone);
  EXPECT_EQ(RunCore(target_.pid(), "/dev/null", {"--via", "stop"}).exit_code, kExitDone);
  ExpectRefused(RunCore(target_.pid(), "/dev/null"), kExitUsage, "usage");
  ExpectRefused(RunCore(target_.pid(), "/dev/full", {"--via", "fork"}), kExitOutput, "output");
}

TEST_F(CoreOutputTest, ACoreOutOfAnImageIsTheOneOfTheProcess) {
  StopTarget();
  ASSERT_EQ(RunCore(target_.pid(), core()).exit_code, kExitDone);
  const std::string image = directory_ / "image";
  ASSERT_EQ(RunSave(target_.pid(), image).exit_code, kExitDone);
  const CommandOutcome outcome =
      RunStillframe({"core", "--from", image, "-o", directory_ / "from-image", "--json"});
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  const auto direct = OpenCore(core());
  const auto from_image = OpenCore(directory_ / "from-image");
  ASSERT_TRUE(direct != nullptr && from_image != nullptr);
  ExpectSameCores(*direct, *from_image);

  const CommandOutcome streamed =
      RunInto("from-image-stream", StillframeArgv({"core", "--from", image, "-o", "-"}));
  ASSERT_EQ(streamed.exit_code, kExitDone) << streamed.err;
  const auto stream = OpenCore(directory_ / "from-image-stream");
  ASSERT_NE(stream, nullptr);
  ExpectSameCores(*direct, *stream);
}

TEST_F(CoreOutputTest, AnImageWithLostPagesMakesACoreWithoutThem) {
  ScriptedTarget target;
  const std::string image = directory_ / "image";
  std::vector<std::string> more =
      WithWitnesses({"--max-bandwidth", "24M", "--stage", "1M", "--max-stall", "60s"});
  more.back() += " && echo unmap > " + target.fifo();
  const CommandOutcome save = RunSave(target.pid(), image, more);
  ASSERT_EQ(save.exit_code, kExitLost) << save.err;
  for (const bool stream : {false, true}) {
    const CommandOutcome outcome =
        stream ? RunInto("core", StillframeArgv({"core", "--from", image, "-o", "-"}))
               : RunStillframe({"core", "--from", image, "-o", core()});
    EXPECT_EQ(outcome.exit_code, kExitLost) << outcome.err;
    ExpectCoreOfTheInstant(save);
  }
}

TEST_F(CoreOutputTest, ADamagedImageMakesNoCore) {
  const std::string image = directory_ / "image";
  ASSERT_EQ(RunSave(target_.pid(), image).exit_code, kExitDone);
  std::filesystem::resize_file(image, std::filesystem::file_size(image) / 2);
  const CommandOutcome outcome = RunStillframe({"core", "--from", image, "-o", core(), "--json"});
  ExpectRefused(outcome, kExitDamaged, "damaged");
  EXPECT_FALSE(Exists(core()));
}

TEST_F(CoreOutputTest, AFullDiskLeavesNothing) {
  const SmallDisk disk(directory_ / "disk");
  ASSERT_TRUE(disk.mounted());
  for (const std::string way : {"wp", "fork", "stop", "precopy"}) {
    SCOPED_TRACE(way);
    ExpectRefused(RunCore(target_.pid(), directory_ / "disk/core", {"--via", way}), kExitOutput,
                  "output");
    EXPECT_TRUE(std::filesystem::is_empty(directory_ / "disk"));
  }
}

TEST_F(CoreOutputTest, AnExistingFileIsReplacedOnlyWithForce) {
  WriteFile(core(), "precious");
  ExpectRefused(RunCore(target_.pid(), core()), kExitUsage, "usage");
  EXPECT_EQ(ReadFile(core()), "precious");
  EXPECT_EQ(RunCore(target_.pid(), core(), {"--force", "--exec-paused", "false"}).exit_code,
            kExitOther);
  EXPECT_EQ(ReadFile(core()), "precious");
  EXPECT_EQ(RunCore(target_.pid(), core(), {"--force"}).exit_code, kExitDone);
  EXPECT_NE(OpenCore(core()), nullptr);
  EXPECT_EQ(directory_.List(), std::vector<std::string>{"core"});
}

TEST_F(CoreOutputTest, ASignalEndsItAndLeavesTheTargetRunning) {
  ScriptedTarget target;
  SlowSave slow(target.pid(), {}, CoreArgv);
  ASSERT_TRUE(slow.begun());
  EXPECT_EQ(slow.Left(), std::vector<std::string>());
  slow.process().Signal(SIGINT);
  const CommandOutcome outcome = slow.Outcome();
  EXPECT_EQ(outcome.exit_code, kExitSigint) << outcome.err;
  EXPECT_EQ(WrongInError(outcome.json), "") << outcome.out;
  EXPECT_EQ(slow.Left(), std::vector<std::string>());
  EXPECT_EQ(target.WhatIsWrong(), "");
  EXPECT_TRUE(target.Do("write"));
}

TEST_F(CoreOutputTest, WhatMakesNoSenseIsAUsageError) {
  const std::string pid = std::to_string(target_.pid());
  const std::vector<std::vector<std::string>> wrong = {
      {"core"},
      {"core", pid, "--from", core(), "-o", directory_ / "other"},
      {"core", "--from", core(), "--via", "fork", "-o", directory_ / "other"}};
  for (const auto& arguments : wrong) {
    const CommandOutcome outcome = RunStillframe(arguments);
    EXPECT_EQ(outcome.exit_code, kExitUsage) << outcome.err;
    EXPECT_NE(outcome.err, "");
  }
  EXPECT_EQ(directory_.List(), std::vector<std::string>());
}

}  // namespace
}  // namespace stillframe::test
