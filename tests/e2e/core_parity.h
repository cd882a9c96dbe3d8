// Holds a core of ours against one that gcore took of the same process, while that stood still.
#ifndef STILLFRAME_TESTS_E2E_CORE_PARITY_H_
#define STILLFRAME_TESTS_E2E_CORE_PARITY_H_

#include <signal.h>

#include <string>
#include <vector>

#include "core_check.h"
#include "support/gdb.h"
#include "support/process_view.h"

namespace stillframe::test {

// What of the notes differs, at most a few. Compared are those that gcore writes, thread by thread,
// less what can't be the same; the .cc says what and why.
std::vector<std::string> DifferencesOfNotes(const CoreFile& ours, const CoreFile& theirs);

// The same of the segments. gcore leaves out mappings where we, as the kernel, have a segment
// without contents.
std::vector<std::string> DifferencesOfSegments(const CoreFile& ours, const CoreFile& theirs);

// Empty when readelf, eu-readelf and libelf say the same of segments and notes, and none of them
// warns.
std::string WhereReadersDisagree(const CoreFile& core);

class CoreParityTest : public CoreTest {
 protected:
  void SetUp() override {
    for (const char* program :
         {"gdb", "gcore", "readelf", "eu-readelf", "eu-stack", "eu-unstrip"}) {
      STILLFRAME_REQUIRE(MissingProgram(program));
    }
    CoreTest::SetUp();
  }

  // Stops `target` for good, takes both cores and compares their notes and segments.
  void TakeBoth(const Subprocess& target, const std::vector<std::string>& more) {
    pid_ = target.pid();
    program_ = "/proc/" + std::to_string(pid_) + "/exe";
    target.Signal(SIGSTOP);
    ASSERT_TRUE(Eventually([&] { return StandsStill(); }));
    const auto descriptors = DescriptorsOf(pid_);
    const CommandOutcome outcome = RunCore(pid_, core(), more);
    ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err << outcome.out;
    EXPECT_TRUE(Eventually([&] { return StandsStill(); })) << "a stopped job was set going";
    EXPECT_EQ(descriptors, DescriptorsOf(pid_));
    // Last, since gdb may set it going when it leaves.
    theirs_ = TakeGcore(pid_, directory_ / "gcore");
    ASSERT_NE(theirs_, "");
    ours_file_ = OpenCore(core());
    auto theirs_file = CoreFile::Open(theirs_);
    ASSERT_TRUE(ours_file_ != nullptr && theirs_file) << theirs_;
    theirs_file_ = *std::move(theirs_file);
    for (const auto& text : DifferencesOfNotes(*ours_file_, *theirs_file_)) ADD_FAILURE() << text;
    for (const auto& text : DifferencesOfSegments(*ours_file_, *theirs_file_)) {
      ADD_FAILURE() << text;
    }
    EXPECT_EQ(WhereReadersDisagree(*ours_file_), "");
    ExpectSameModules();
  }

  // What any process is asked for.
  static std::vector<std::string> CommonCommands() {
    return {"thread apply all bt",
            "info sharedlibrary",
            "info auxv",
            "info threads",
            "info proc mappings",
            "thread apply all info registers",
            "thread apply all print $ymm9",
            "thread apply all print $mxcsr",
            "thread apply all x/32xg $sp"};
  }

  // Asks gdb about both cores; both must say the same. Returns what it said.
  std::vector<std::string> ExpectSameAnswers(const std::vector<std::string>& more) {
    std::vector<std::string> commands = CommonCommands();
    commands.insert(commands.end(), more.begin(), more.end());
    const GdbAnswers ours = AskGdb(program_, core(), commands);
    const GdbAnswers theirs = AskGdb(program_, theirs_, commands);
    EXPECT_EQ(ours.opening.find("warning"), std::string::npos) << ours.opening;
    for (size_t i = 0; i < commands.size(); ++i) {
      EXPECT_EQ(FirstDifferentLine(ours.answers[i], theirs.answers[i]), "") << commands[i];
    }
    return ours.answers;
  }

  // The modules, with the build-ids that stand in the first pages of their files.
  void ExpectSameModules() {
    const Finished ours = RunToEnd({"eu-unstrip", "-n", "--core", core()});
    const Finished theirs = RunToEnd({"eu-unstrip", "-n", "--core", theirs_});
    EXPECT_EQ(ours.exit_code, 0) << ours.err;
    EXPECT_EQ(ours.out, theirs.out);
    EXPECT_GE(Lines(ours.out).size(), 3u) << ours.out;
  }

  // eu-stack shows every thread.
  std::string ExpectStacks() {
    const Finished stacks = RunToEnd({"eu-stack", "--core", core(), "--executable", program_});
    for (const CoreThread& thread : ours_file_->threads()) {
      EXPECT_NE(stacks.out.find("TID " + std::to_string(thread.tid()) + ":"), std::string::npos)
          << stacks.out << stacks.err;
    }
    return stacks.out;
  }

  // Where our core has `text`, as gdb takes addresses.
  std::string AddressOf(const std::string& text) const {
    const auto address = ours_file_->Find(text);
    if (!address) ADD_FAILURE() << "'" << text << "' is not in the core";
    return std::to_string(address.value_or(TargetAddress{}).value);
  }

  // That gdb found words there, and not just zeros.
  static void ExpectMemory(const std::string& answer) {
    EXPECT_EQ(answer.find("Cannot access"), std::string::npos) << answer;
    EXPECT_EQ(answer.find("No symbol"), std::string::npos) << answer;
    EXPECT_GT(CountOf(answer, "\t0x"), CountOf(answer, "\t0x0000000000000000")) << answer;
  }

  // How often `text` stands in `in`.
  static size_t CountOf(const std::string& in, const std::string& text) {
    size_t count = 0;
    for (size_t at = 0; (at = in.find(text, at)) != std::string::npos; at += text.size()) ++count;
    return count;
  }

  const CoreFile& ours() const { return *ours_file_; }
  const CoreFile& theirs() const { return *theirs_file_; }

 private:
  bool StandsStill() const {
    for (const pid_t thread : ThreadsOf(pid_)) {
      if (StateOf(thread) != 'T') return false;
    }
    return true;
  }

  static std::string FirstDifferentLine(const std::string& ours, const std::string& theirs) {
    const std::vector<std::string> left = Lines(ours);
    const std::vector<std::string> right = Lines(theirs);
    for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
      const std::string& of_ours = i < left.size() ? left[i] : "(nothing)";
      const std::string& of_theirs = i < right.size() ? right[i] : "(nothing)";
      if (of_ours == of_theirs) continue;
      return "line " + std::to_string(i) + ":\nours:   " + of_ours + "\ngcore's: " + of_theirs;
    }
    return "";
  }

  pid_t pid_ = 0;
  std::string program_;
  std::string theirs_;
  std::unique_ptr<CoreFile> ours_file_;
  std::unique_ptr<CoreFile> theirs_file_;
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_CORE_PARITY_H_
