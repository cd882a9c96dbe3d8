#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <vector>

#include "evaluate/bench/output.h"
#include "evaluate/bench/shared.h"

namespace stillframe::evaluate {
namespace {

using std::chrono::milliseconds;

void WriteAll(int fd, size_t bytes) {
  const std::vector<char> block(64 << 10, 'x');
  while (bytes > 0) {
    const ssize_t n = write(fd, block.data(), std::min(bytes, block.size()));
    ASSERT_GT(n, 0);
    bytes -= static_cast<size_t>(n);
  }
}

TEST(BenchOutputTest, NullGoesToTheNullDevice) {
  const BenchOutputPlan plan;
  const auto output = BenchOutput::Open(plan);
  ASSERT_TRUE(output);
  EXPECT_EQ((*output)->output().path, "/dev/null");
  EXPECT_EQ((*output)->Finish(), 0U);
}

TEST(BenchOutputTest, EachReadIsToldWithAllThatCameSoFar) {
  struct Log {
    std::atomic<uint64_t> reads = 0;
    std::atomic<uint64_t> last = 0;
  };
  const SharedObject<Log> log;
  BenchOutputPlan plan;
  plan.kind = BenchOutputPlan::Kind::kPipe;
  const auto reader = PipeReader::Start(plan, [&](Bytes total) {
    ++log->reads;
    log->last = total.count;
  });
  ASSERT_TRUE(reader);
  WriteAll((*reader)->descriptor(), 3 << 20);
  (*reader)->Finish();
  EXPECT_GE(log->reads, 3U);
  EXPECT_EQ(log->last, 3U << 20);
  EXPECT_EQ((*reader)->total(), MiB(3));
}

TEST(BenchOutputTest, AFileIsGoneWhenTheRoundIsOver) {
  BenchOutputPlan plan;
  plan.kind = BenchOutputPlan::Kind::kFile;
  plan.path = testing::TempDir() + "bench_output_test." + std::to_string(getpid());
  {
    const auto output = BenchOutput::Open(plan);
    ASSERT_TRUE(output);
    close(open((*output)->output().path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ASSERT_EQ(access(plan.path.c_str(), F_OK), 0);
  }
  EXPECT_NE(access(plan.path.c_str(), F_OK), 0);
}

TEST(BenchOutputTest, AStallingReaderReadsAllAndCountsStallsWithSomethingToRead) {
  BenchOutputPlan plan;
  plan.kind = BenchOutputPlan::Kind::kPipe;
  plan.stall = milliseconds(20);
  plan.period = milliseconds(22);
  const auto reader = PipeReader::Start(plan);
  ASSERT_TRUE(reader);
  // More than fits into the pipe, as long as a stall has not been met.
  size_t written = 0;
  while ((*reader)->stalls() == 0) {
    WriteAll((*reader)->descriptor(), 2 * PipeReader::kPipeSize);
    written += 2 * PipeReader::kPipeSize;
  }
  (*reader)->Finish();
  EXPECT_EQ((*reader)->total(), Bytes{written});
}

TEST(BenchOutputTest, AReaderThatStallsOnceDoesSoInTheMiddle) {
  BenchOutputPlan plan;
  plan.kind = BenchOutputPlan::Kind::kPipe;
  plan.stall = milliseconds(20);
  const auto reader = PipeReader::Start(plan);
  ASSERT_TRUE(reader);
  size_t written = 0;
  const auto write_some = [&] {
    WriteAll((*reader)->descriptor(), PipeReader::kPipeSize);
    written += PipeReader::kPipeSize;
  };
  while ((*reader)->stalls() == 0) write_some();
  for (int i = 0; i < 20; ++i) write_some();
  (*reader)->Finish();
  EXPECT_EQ((*reader)->total(), Bytes{written});
  EXPECT_EQ((*reader)->stalls(), 1u);
}

TEST(BenchOutputTest, ALimitedReaderReadsAll) {
  BenchOutputPlan plan;
  plan.kind = BenchOutputPlan::Kind::kPipe;
  plan.bandwidth = MiB(64);
  const auto reader = PipeReader::Start(plan);
  ASSERT_TRUE(reader);
  const auto begin = std::chrono::steady_clock::now();
  WriteAll((*reader)->descriptor(), MiB(8).count);
  (*reader)->Finish();
  EXPECT_EQ((*reader)->total(), MiB(8));
  // Not faster than asked, less what it may make up for: a bound that no load can break.
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(100));
}

}  // namespace
}  // namespace stillframe::evaluate
