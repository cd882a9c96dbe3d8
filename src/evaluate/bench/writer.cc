#include "evaluate/bench/writer.h"

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

namespace stillframe::evaluate {
namespace {

using Clock = std::chrono::steady_clock;

// Writes after which the interval of a writer without a rate is known.
constexpr uint64_t kToKnowInterval = 10'000;
// More than that many records are put together: a stall may not cost much time of its own.
constexpr int64_t kMostFilled = 4096;
// The end of an injected stall is waited for awake: a sleep may end late.
constexpr Duration kAwake = std::chrono::milliseconds(2);

uint64_t Mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

// Writers of one seed that differ by their number only must not write alike.
uint64_t SeedOf(uint64_t seed, size_t number) { return Mix(seed, number + 1); }

}  // namespace

BenchWriter::BenchWriter(const BenchPlan& plan, const Place& place, const LatencyBoard& board,
                         BenchControl& control)
    : plan_(plan),
      number_(place.number),
      board_(board),
      control_(control),
      pages_("writer " + std::to_string(place.number), place.memory, place.pages,
             SeedOf(plan.seed, place.number)),
      sequence_(
          MakeWriteSequence(plan.workload->spread, place.pages, SeedOf(plan.seed, place.number))) {}

void BenchWriter::Prepare() {
  for (size_t i = 0; i < pages_.size(); ++i) pages_.Write(i);
}

void BenchWriter::Run() {
  // The default slack of 50 us would stand in every latency.
  prctl(PR_SET_TIMERSLACK, 1);
  const double threads = static_cast<double>(plan_.threads);
  Pacer pacer(plan_.rate / threads, plan_.workload->bursts);
  pacer.Start(static_cast<double>(number_) / threads);
  began_ = Clock::now();
  while (!control_.stop.load(std::memory_order_relaxed)) {
    const TimePoint from = pacer.WaitForNext(control_.stop);
    HoldUpIfAsked(from);
    Step();
    Record(from, Clock::now());
  }
}

void BenchWriter::Step() {
  const size_t page = sequence_->Next();
  pages_.Check(page);
  pages_.Write(page);
  ++steps_;
  if (steps_ <= BenchControl::kFingerprintWrites) AddToFingerprint(page);
  if (number_ == 0 && steps_ == plan_.corrupt_after) pages_.Corrupt(page);
}

void BenchWriter::HoldUpIfAsked(TimePoint from) {
  if (number_ != 0) return;
  const Duration stall(control_.inject_stall_ns.load(std::memory_order_relaxed));
  if (stall.count() == 0) return;
  std::this_thread::sleep_until(from + stall - kAwake);
  while (Clock::now() < from + stall) {
  }
  control_.inject_stall_ns.store(0, std::memory_order_release);
}

void BenchWriter::Record(TimePoint from, TimePoint to) {
  board_.Record(number_, from, to - from);
  board_.Done(number_, to);
  if (plan_.rate > 0) return;
  if (steps_ == kToKnowInterval) {
    interval_ = std::max(Duration(1), (to - began_) / static_cast<int64_t>(kToKnowInterval));
  }
  FillMissing(from, to - from);
}

void BenchWriter::FillMissing(TimePoint from, Duration latency) {
  if (interval_.count() == 0 || latency < 2 * interval_) return;
  const int64_t each = std::max<int64_t>(1, latency / interval_ / kMostFilled);
  const Duration step = interval_ * each;
  for (Duration late = step; latency - late >= interval_; late += step) {
    board_.Record(number_, from + late, latency - late, static_cast<uint32_t>(each));
  }
}

void BenchWriter::AddToFingerprint(size_t page) {
  BenchControl::Fingerprint& print = control_.fingerprints[number_];
  uint64_t last_word = 0;
  std::memcpy(&last_word, pages_.page(page) + kPageBytes - sizeof(last_word), sizeof(last_word));
  const uint64_t hash = print.hash.load(std::memory_order_relaxed);
  print.hash.store(Mix(Mix(hash, page), last_word), std::memory_order_relaxed);
  print.writes.store(steps_, std::memory_order_release);
}

int64_t MeasureTimingCost(const LatencyBoard& board) {
  constexpr int64_t kWrites = 200'000;
  const TimePoint begin = Clock::now();
  for (int64_t i = 0; i < kWrites; ++i) {
    const TimePoint from = Clock::now();
    const TimePoint to = Clock::now();
    board.Record(0, from, to - from);
    board.Done(0, to);
  }
  const Duration all = Clock::now() - begin;
  return all.count() * 1000 / kWrites;
}

}  // namespace stillframe::evaluate
