// `core --from` while its output stands still: it can be told to stop, and asked how it is doing.
// No target is needed, the image is made here.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "stillframe/image.h"
#include "stillframe/page_sink.h"
#include "support/files.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"

namespace stillframe::test {
namespace {

// More than a pipe holds.
constexpr Bytes kMemory = MiB(4);
constexpr int kSomeOfAPipe = 32 << 10;

bool Catches(pid_t pid, int signal) {
  for (const std::string& line : Lines(ReadFile("/proc/" + std::to_string(pid) + "/status"))) {
    if (!line.starts_with("SigCgt:")) continue;
    return ((std::stoull(line.substr(7), nullptr, 16) >> (signal - 1)) & 1) != 0;
  }
  return false;
}

class CoreConversionTest : public testing::Test {
 protected:
  void SetUp() override {
    auto sink = CreateImage({.path = image_});
    ASSERT_TRUE(sink) << sink.error().message;
    ImageMetadata metadata;
    metadata.process.pid = 4711;
    SavedMapping saved;
    saved.mapping.range = saved.saved = {{0x10000}, {0x10000 + kMemory.count}};
    saved.mapping.readable = saved.mapping.writable = true;
    metadata.mappings = {saved};
    const std::vector<std::byte> memory(kMemory.count, std::byte{7});
    ASSERT_TRUE((*sink)->Write(saved.saved.begin, memory, PageSource::kScanned));
    ASSERT_TRUE((*sink)->Finish(metadata));
    int ends[2] = {-1, -1};
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    reader_.reset(ends[0]);
    writer_.reset(ends[1]);
  }

  std::vector<std::string> Argv(const std::string& core) const {
    return StillframeArgv({"core", "--from", image_, "-o", core, "--json"});
  }
  // Whether the command has begun to write to a pipe that nobody reads.
  bool HasBegun() const {
    int waiting = 0;
    return ioctl(reader_.get(), FIONREAD, &waiting) == 0 && waiting > kSomeOfAPipe;
  }
  static void ExpectInterrupted(Subprocess& process, int exit_code) {
    const CommandOutcome outcome = OutcomeOf(process);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_NE(outcome.err.find("stillframe: interrupted"), std::string::npos) << outcome.err;
  }

  TempDir directory_;
  const std::string image_ = directory_ / "image";
  UniqueFd reader_;
  UniqueFd writer_;
};

TEST_F(CoreConversionTest, APipeThatNobodyReadsHoldsUpNoSignal) {
  for (const auto& [signal, exit_code] :
       {std::pair(SIGINT, kExitSigint), {SIGTERM, kExitSigterm}}) {
    Subprocess process(Argv("-"), {.stdout_fd = writer_.get()});
    ASSERT_TRUE(Eventually([this] { return HasBegun(); }));
    process.Signal(signal);
    ExpectInterrupted(process, exit_code);
    EXPECT_NE(Lines(process.Err()).back().find("\"interrupted\""), std::string::npos);
    std::vector<char> rest(1 << 20);
    EXPECT_GT(read(reader_.get(), rest.data(), rest.size()), 0);
  }
}

TEST_F(CoreConversionTest, AFifoWithoutAReaderHoldsUpNoSignal) {
  const std::string fifo = directory_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  Subprocess process(Argv(fifo));
  ASSERT_TRUE(Eventually([&] { return Catches(process.pid(), SIGINT); }));
  process.Signal(SIGINT);
  ExpectInterrupted(process, kExitSigint);
}

TEST_F(CoreConversionTest, AStatusIsToldAndItGoesOn) {
  Subprocess process(Argv("-"), {.stdout_fd = writer_.get()});
  ASSERT_TRUE(Eventually([this] { return HasBegun(); }));
  writer_.reset();
  process.Signal(SIGUSR1);
  ASSERT_TRUE(process.WaitForErr("stillframe: writing - from " + image_)) << process.Err();
  std::vector<char> some(1 << 16);
  size_t all = 0;
  for (ssize_t n; (n = read(reader_.get(), some.data(), some.size())) > 0;) {
    all += static_cast<size_t>(n);
  }
  EXPECT_GT(all, kMemory.count);
  const CommandOutcome outcome = OutcomeOf(process);
  EXPECT_EQ(outcome.exit_code, kExitDone) << outcome.err;
  const auto json = nlohmann::json::parse(Lines(outcome.err).back(), nullptr, false);
  EXPECT_EQ(json.value("from", ""), image_) << outcome.err;
  EXPECT_EQ(json.value("pid", 0), 4711);
  EXPECT_EQ(json.value("image_bytes", size_t{0}), all);
}

TEST_F(CoreConversionTest, AReaderThatGoesAwayIsAnErrorOfTheOutput) {
  Subprocess process(Argv("-"), {.stdout_fd = writer_.get()});
  ASSERT_TRUE(Eventually([this] { return HasBegun(); }));
  reader_.reset();
  EXPECT_EQ(OutcomeOf(process).exit_code, kExitOutput) << process.Err();
}

}  // namespace
}  // namespace stillframe::test
