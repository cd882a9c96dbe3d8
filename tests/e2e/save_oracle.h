// What the oracle tests share: a save with the oracle's copy made at its instant.
#ifndef STILLFRAME_TESTS_E2E_SAVE_ORACLE_H_
#define STILLFRAME_TESTS_E2E_SAVE_ORACLE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "image_check.h"
#include "support/files.h"
#include "support/process_view.h"
#include "support/redis_server.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"
#include "support/workload_process.h"

namespace stillframe::test {

// Copies what comes out of `from` into a file, standing still for a while after each piece, as a
// slow disk or network does.
class StallingReader {
 public:
  StallingReader(UniqueFd from, const std::string& path, std::chrono::milliseconds stall)
      : from_(std::move(from)),
        to_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)),
        thread_([this, stall] { Copy(stall); }) {}
  ~StallingReader() { Join(); }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Copy(std::chrono::milliseconds stall) {
    std::vector<char> buffer(4 << 20);
    for (;;) {
      size_t got = 0;
      while (got < buffer.size()) {
        const ssize_t n = read(from_.get(), buffer.data() + got, buffer.size() - got);
        if (n <= 0) break;
        got += static_cast<size_t>(n);
      }
      if (got == 0) return;
      if (write(to_.get(), buffer.data(), got) != static_cast<ssize_t>(got)) return;
      std::this_thread::sleep_for(stall);
    }
  }

  UniqueFd from_;
  UniqueFd to_;
  std::thread thread_;
};

enum class OutputKind { kFile, kFifo, kStdout };

struct OracleCase {
  std::string name;
  std::vector<std::string> workload;
  std::vector<std::string> save;
  OutputKind output = OutputKind::kFile;
};

// What gtest says of a failing case.
inline void PrintTo(const OracleCase& with, std::ostream* out) { *out << with.name; }

class SaveOracleTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
  }

  // Saves `pid` with the oracle's copy in copy(), the image in image().
  CommandOutcome Save(pid_t pid, std::vector<std::string> more,
                      OutputKind output = OutputKind::kFile) {
    const std::vector<std::string> oracle = WithOracle(copy());
    more.insert(more.end(), oracle.begin(), oracle.end());
    switch (output) {
      case OutputKind::kFile:
        return RunSave(pid, image(), more);
      case OutputKind::kFifo:
        return SaveToFifo(pid, more);
      case OutputKind::kStdout:
        return SaveToStdout(pid, more);
    }
    return {};
  }

  CommandOutcome SaveToFifo(pid_t pid, const std::vector<std::string>& more) {
    const std::string fifo = directory_ / "fifo";
    EXPECT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    // Not to wait for each other at the opening.
    UniqueFd reader(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    Subprocess process(SaveArgv(pid, fifo, more));
    UniqueFd keep_open(open(fifo.c_str(), O_WRONLY | O_CLOEXEC));
    fcntl(reader.get(), F_SETFL, 0);
    StallingReader stalling(std::move(reader), image(), std::chrono::milliseconds(30));
    CommandOutcome outcome = OutcomeOf(process);
    keep_open.reset();
    stalling.Join();
    return outcome;
  }

  CommandOutcome SaveToStdout(pid_t pid, const std::vector<std::string>& more) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    UniqueFd writer(ends[1]);
    Subprocess process(SaveArgv(pid, "-", more), {.stdout_fd = writer.get()});
    writer.reset();
    StallingReader stalling(UniqueFd(ends[0]), image(), std::chrono::milliseconds(5));
    CommandOutcome outcome = OutcomeOf(process);
    stalling.Join();
    // The summary is the last line of stderr then.
    const std::vector<std::string> lines = Lines(outcome.err);
    if (!lines.empty()) outcome.json = nlohmann::json::parse(lines.back(), nullptr, false);
    return outcome;
  }

  // A python program that fills and empties dictionaries all the time, a dot for each round.
  static std::vector<std::string> BusyPython() {
    return {"python3", "-c",
            "import random,sys\n"
            "d={}\n"
            "while True:\n"
            "  for i in range(20000): d[random.randrange(200000)]='x'*random.randrange(200)\n"
            "  sys.stdout.write('.'); sys.stdout.flush()\n"};
  }
  // That no save is left on the server, and it answers. Its clients come and go, so only what a
  // save might have left is looked for.
  static void ExpectRedisIsWell(const RedisServer& redis) {
    const auto descriptors = DescriptorsOf(redis.pid());
    EXPECT_EQ(TracesLeftOn(redis.pid(), descriptors), "");
    for (const auto& [fd, to] : descriptors) EXPECT_EQ(to.find("userfaultfd"), std::string::npos);
    EXPECT_EQ(redis.Ask({"ping"}), "PONG\n");
  }

  std::string image() const { return directory_ / "image"; }
  std::string copy() const { return directory_ / "copy"; }

  TempDir directory_;
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_SAVE_ORACLE_H_
