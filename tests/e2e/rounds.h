// Copying in rounds, with things done to the target in the middle of them: the image is held up by
// a reader that stands still, so that a test knows where the save is.
#ifndef STILLFRAME_TESTS_E2E_ROUNDS_H_
#define STILLFRAME_TESTS_E2E_ROUNDS_H_

#include <functional>
#include <string>
#include <vector>

#include "save_oracle.h"

namespace stillframe::test {

class RoundsTest : public SaveOracleTest {
 protected:
  // What makes a save one in rounds.
  virtual std::vector<std::string> Way() const = 0;

  // Saves through a pipe. When `held` bytes of the image have come, so that some pages are copied
  // and most are not, `meanwhile` runs; then the rest is read.
  CommandOutcome SaveAndMeanwhile(pid_t pid, const std::function<void()>& meanwhile,
                                  std::vector<std::string> more = {}, size_t held = 8 << 20) {
    const std::vector<std::string> way = Way();
    more.insert(more.end(), way.begin(), way.end());
    const std::vector<std::string> oracle = WithOracle(copy());
    more.insert(more.end(), oracle.begin(), oracle.end());
    // What is held back is counted in bytes of pages.
    more.insert(more.end(), {"--compress", "none"});
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    Subprocess save(SaveArgv(pid, "-", more), {.stdout_fd = writer.get()});
    writer.reset();
    const UniqueFd file(open(image().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    size_t copied = Forward(reader.get(), file.get(), held);
    EXPECT_GE(copied, held) << save.Err();
    meanwhile();
    copied += Forward(reader.get(), file.get(), SIZE_MAX);
    CommandOutcome outcome = OutcomeOf(save);
    const std::vector<std::string> lines = Lines(outcome.err);
    if (!lines.empty()) outcome.json = nlohmann::json::parse(lines.back(), nullptr, false);
    return outcome;
  }

  void ExpectWhole(const CommandOutcome& save) {
    ASSERT_EQ(save.exit_code, kExitDone) << save.err;
    EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
    EXPECT_EQ(save.json["pages"]["lost"], 0);
    EXPECT_GE(save.json["rounds"]["count"], 1);
    ExpectImageEqualsOracle(image(), copy(), save.json);
  }

  // A python program that has what `setup` makes of it and then does `loop` all the time.
  static std::vector<std::string> Python(const std::string& setup, const std::string& loop,
                                         const std::string& argument = "") {
    return {"python3", "-c",
            "import mmap,os,random,sys,tempfile,time\n"
            "anon=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS\n" +
                setup + "\nprint('ready',flush=True)\nwhile True:\n" + loop,
            argument};
  }

 private:
  static size_t Forward(int from, int to, size_t limit) {
    std::vector<char> buffer(1 << 16);
    size_t done = 0;
    while (done < limit) {
      const ssize_t n = read(from, buffer.data(), buffer.size());
      if (n <= 0) break;
      if (write(to, buffer.data(), static_cast<size_t>(n)) != n) return 0;
      done += static_cast<size_t>(n);
    }
    return done;
  }
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_ROUNDS_H_
