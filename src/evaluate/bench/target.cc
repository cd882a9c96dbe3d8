#include "evaluate/bench/target.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "evaluate/bench/churn.h"
#include "evaluate/bench/self_fork.h"
#include "evaluate/bench/writer.h"
#include "evaluate/mapped_memory.h"

namespace stillframe::evaluate {
namespace {

// How often the clock is looked at: what is shorter is no gap.
constexpr double kLooksPerSecond = 2000;

// Writers, each with a part of the memory of its own.
std::vector<std::unique_ptr<BenchWriter>> MakeWriters(const BenchPlan& plan,
                                                      const MappedMemory& memory,
                                                      const LatencyBoard& board,
                                                      BenchControl& control) {
  std::vector<std::unique_ptr<BenchWriter>> writers;
  const size_t pages = memory.size() / kPageBytes / plan.threads;
  for (size_t i = 0; i < plan.threads; ++i) {
    const BenchWriter::Place place{
        .number = i, .memory = memory.data() + i * pages * kPageBytes, .pages = pages};
    writers.push_back(std::make_unique<BenchWriter>(plan, place, board, control));
  }
  return writers;
}

void RunChurn(BenchChurn& churn, const std::atomic<bool>& stop) {
  Pacer pacer(BenchChurn::kStepsPerSecond);
  while (!stop.load(std::memory_order_relaxed)) {
    pacer.WaitForNext(stop);
    churn.Step();
  }
}

void WatchClock(const LatencyBoard& board, size_t lane, const std::atomic<bool>& stop) {
  prctl(PR_SET_TIMERSLACK, 1);
  Pacer pacer(kLooksPerSecond);
  TimePoint last = std::chrono::steady_clock::now();
  while (!stop.load(std::memory_order_relaxed)) {
    // Never behind time: a gap is one gap, not many short ones after it.
    pacer.Start(1);
    pacer.WaitForNext(stop);
    const TimePoint now = std::chrono::steady_clock::now();
    board.Record(lane, last, now - last);
    last = now;
  }
}

bool ForksItself(const BenchPlan& plan) {
  return std::ranges::any_of(plan.methods, [](const BenchMethodPtr& method) {
    return method->by == BenchMethod::By::kItself;
  });
}

std::thread StartNamed(const std::string& name, std::function<void()> body) {
  std::thread thread(std::move(body));
  pthread_setname_np(thread.native_handle(), name.c_str());
  return thread;
}

}  // namespace

int RunBenchTarget(const BenchPlan& plan, const LatencyBoard& board, BenchControl& control) {
  const MappedMemory memory = MappedMemory::Anonymous(plan.memory.count);
  // Saving splits huge pages: what is saved second would not be what was saved first.
  madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE);
  const auto writers = MakeWriters(plan, memory, board, control);
  std::optional<BenchChurn> churn;
  if (plan.workload->churns) churn.emplace(plan.seed);
  for (const auto& writer : writers) writer->Prepare();
  if (churn) churn->Prepare();
  control.timing_cost_ps.store(MeasureTimingCost(board));
  std::vector<std::thread> threads;
  for (const auto& writer : writers) {
    if (!plan.workload->writes) break;
    threads.push_back(StartNamed("writer", [&writer] { writer->Run(); }));
  }
  if (churn) {
    threads.push_back(StartNamed("churn", [&] { RunChurn(*churn, control.stop); }));
  }
  if (ForksItself(plan)) {
    threads.push_back(StartNamed("self-fork", [&] {
      ServeSelfForks(control, {memory.data(), memory.size()});
    }));
  }
  sem_post(&control.ready);
  WatchClock(board, plan.threads, control.stop);
  for (std::thread& thread : threads) thread.join();
  for (const auto& writer : writers) writer->CheckAll();
  if (churn) churn->CheckAll();
  return 0;
}

}  // namespace stillframe::evaluate
