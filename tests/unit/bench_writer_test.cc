#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

#include "evaluate/bench/writer.h"
#include "evaluate/mapped_memory.h"

namespace stillframe::evaluate {
namespace {

using std::chrono::milliseconds;

constexpr size_t kPages = 256;

// One writer on a thread of this process.
class Writing {
 public:
  explicit Writing(BenchPlan plan, size_t number = 0)
      : plan_(std::move(plan)),
        board_(plan_.threads),
        memory_(MappedMemory::Anonymous(kPages * kPageBytes)),
        number_(number),
        writer_(plan_, {.number = number, .memory = memory_.data(), .pages = kPages}, board_,
                control_) {
    board_.Start(std::chrono::steady_clock::now(), Duration(0));
    began_ = board_.epoch();
    thread_ = std::thread([this] {
      writer_.Prepare();
      writer_.Run();
    });
  }
  ~Writing() { Stop(); }

  void WaitForFingerprint() {
    while (control_.fingerprints[number_].writes < BenchControl::kFingerprintWrites) {
      std::this_thread::yield();
    }
  }
  uint64_t fingerprint() const { return control_.fingerprints[number_].hash; }
  void WaitForWrites(uint64_t writes) {
    while (board_.CountDone(number_, began_, std::chrono::steady_clock::now()) < writes) {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
  void HoldUp(Duration stall) {
    control_.inject_stall_ns = stall.count();
    while (control_.inject_stall_ns != 0) std::this_thread::sleep_for(milliseconds(1));
  }
  LatencyCounts Stop() {
    control_.stop = true;
    if (thread_.joinable()) thread_.join();
    return board_.Collect(number_, began_, std::chrono::steady_clock::now() + milliseconds(20));
  }
  uint64_t Done() { return board_.CountDone(number_, began_, std::chrono::steady_clock::now()); }
  void CheckAll() { writer_.CheckAll(); }
  std::byte* memory() { return memory_.data(); }

 private:
  const BenchPlan plan_;
  LatencyBoard board_;
  BenchControl control_;
  MappedMemory memory_;
  size_t number_;
  BenchWriter writer_;
  TimePoint began_;
  std::thread thread_;
};

BenchPlan PlanOf(const char* kind, double rate, uint64_t seed = 1) {
  BenchPlan plan;
  plan.workload = FindBenchWorkloadKind(kind);
  plan.rate = rate;
  plan.seed = seed;
  return plan;
}

uint64_t FingerprintOf(const BenchPlan& plan, size_t number = 0) {
  Writing writing(plan, number);
  writing.WaitForFingerprint();
  return writing.fingerprint();
}

TEST(BenchWriterTest, TheSameSeedWritesTheSamePagesWithTheSameContents) {
  for (const char* kind : {"uniform", "zipf", "sequential", "burst"}) {
    const BenchPlan plan = PlanOf(kind, 0);
    EXPECT_EQ(FingerprintOf(plan), FingerprintOf(plan)) << kind;
    EXPECT_NE(FingerprintOf(plan), FingerprintOf(PlanOf(kind, 0, 2))) << kind;
  }
}

TEST(BenchWriterTest, TheRateDoesNotChangeWhatIsWritten) {
  EXPECT_EQ(FingerprintOf(PlanOf("uniform", 0)), FingerprintOf(PlanOf("uniform", 100'000)));
}

TEST(BenchWriterTest, TwoWritersOfOneSeedWriteDifferently) {
  const BenchPlan plan = PlanOf("uniform", 0);
  EXPECT_NE(FingerprintOf(plan, 0), FingerprintOf(plan, 1));
}

TEST(BenchWriterTest, EveryWriteIsRecordedOnce) {
  BenchPlan plan = PlanOf("uniform", 20'000);
  Writing writing(plan);
  writing.WaitForWrites(100);
  const LatencyCounts counts = writing.Stop();
  EXPECT_EQ(counts.count(), writing.Done());
  writing.CheckAll();
}

TEST(BenchWriterTest, AStallStandsInItsBucketAndMakesTheWritesBehindItLate) {
  constexpr Duration kStall = milliseconds(200);
  // One of two writers: 1,000 a second.
  Writing writing(PlanOf("uniform", 2000));
  writing.WaitForWrites(10);
  const uint64_t before = writing.Done();
  writing.HoldUp(kStall);
  // Until the one that was held up has made up for it: 400 fall due meanwhile.
  writing.WaitForWrites(before + 600);
  const LatencyCounts counts = writing.Stop();
  EXPECT_GE(counts.in_bucket(LatencyCounts::BucketOf(kStall)), 1U);
  // 100 were intended in its first half.
  EXPECT_GE(counts.CountAbove(kStall / 2), 90U);
}

TEST(BenchWriterTest, WithoutARateWhatAStallLeftOutIsFilledIn) {
  constexpr Duration kStall = milliseconds(200);
  Writing writing(PlanOf("uniform", 0));
  writing.WaitForWrites(20'000);
  writing.HoldUp(kStall);
  const LatencyCounts counts = writing.Stop();
  EXPECT_GE(counts.in_bucket(LatencyCounts::BucketOf(kStall)), 1U);
  // At less than 200 us a write, 500 would have been begun in its first half.
  EXPECT_GE(counts.CountAbove(kStall / 2), 500U);
  EXPECT_GT(counts.count(), writing.Done());
}

TEST(BenchWriterDeathTest, AWrongByteIsFound) {
  BenchPlan plan = PlanOf("uniform", 0);
  plan.corrupt_after = 1000;
  EXPECT_EXIT(
      {
        Writing writing(plan);
        writing.WaitForWrites(1000);
        writing.Stop();
        writing.CheckAll();
      },
      testing::ExitedWithCode(99), "wrong memory: writer 0");
}

TEST(BenchWriterTest, TimingAWriteCostsSomethingAndIsRecorded) {
  LatencyBoard board(1);
  board.Start(std::chrono::steady_clock::now(), Duration(0));
  EXPECT_GT(MeasureTimingCost(board), 0);
  EXPECT_GT(board.CountDone(0, board.epoch(), std::chrono::steady_clock::now()), 0U);
}

}  // namespace
}  // namespace stillframe::evaluate
