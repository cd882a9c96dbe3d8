#include "evaluate/bench/suite.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "evaluate/bench/statistics.h"
#include "evaluate/bench/workload.h"
#include "report/text.h"
#include "save/memory_budget.h"

namespace stillframe::evaluate {
namespace {

// For all that is not the workload's memory itself.
constexpr Bytes kSpare = MiB(256);
// How long a round without a save looks before the first save has shown how long one takes.
constexpr Duration kFirstLook = std::chrono::seconds(1);
constexpr Duration kLongestLook = std::chrono::seconds(20);
constexpr Duration kShortestLook = std::chrono::milliseconds(300);
// A guess at how fast memory is saved to an output that has no limit of its own, on the safe side.
constexpr Bytes kSlowSave = MiB(100);

class Suite {
 public:
  Suite(const BenchPlan& plan, BenchStop& stop,
        const std::function<void(const BenchProgress&)>& progress)
      : stop_(stop), progress_(progress) {
    result_.plan = plan;
    result_.rounds.resize(plan.methods.size());
    at_.rounds = plan.methods.size() * plan.runs;
  }

  Result<BenchResult> Run() {
    const BenchPlan& plan = result_.plan;
    STILLFRAME_TRY(CheckMemory());
    result_.machine = ReadMachineFacts();
    result_.busy = BusyShare();
    progress_(at_);
    STILLFRAME_ASSIGN(const std::unique_ptr<BenchWorkload> workload,
                      BenchWorkload::Start(plan, [this] { return stop_.cancelled(); }));
    result_.timing_cost_ns = workload->timing_cost_ns();
    for (size_t run = 0; run < plan.runs; ++run) {
      for (size_t i = 0; i < plan.methods.size(); ++i) {
        STILLFRAME_TRY(RunOne((i + run) % plan.methods.size(), run, *workload));
      }
    }
    result_.fingerprint = workload->Fingerprint();
    at_.method = nullptr;
    progress_(at_);
    STILLFRAME_TRY(workload->Finish());
    return std::move(result_);
  }

 private:
  Result<void> CheckMemory() const {
    const Bytes available = AvailableMemory();
    if (result_.plan.memory + kSpare <= available) return {};
    return Fail(ErrorCode::kUsage,
                "--memory " + FormatBytes(result_.plan.memory) + ": only " +
                    FormatBytes(available) + " are available",
                "the workload fills all of it, and the bench needs some beside it");
  }

  Result<void> RunOne(size_t method, size_t run, BenchWorkload& workload) {
    const BenchPlan& plan = result_.plan;
    const RoundPlan round{
        .method = plan.methods[method],
        .run = run + 1,
        .expected = plan.methods[method]->saves() ? LongestSave() : HowLongToLook(),
        .record = plan.record && run + 1 == plan.runs};
    ++at_.round;
    at_.method = round.method;
    at_.run = round.run;
    progress_(at_);
    STILLFRAME_ASSIGN(BenchRound done, RunBenchRound(plan, round, workload, stop_));
    if (round.method->saves() && !done.error)
      saves_.push_back(static_cast<double>(done.total.count()));
    result_.rounds[method].push_back(std::move(done));
    return {};
  }

  // As long as a save takes, so that what happens now and then has the same chance to.
  Duration HowLongToLook() const {
    if (saves_.empty()) return kFirstLook;
    return std::clamp(Duration(static_cast<int64_t>(Median(saves_))), kShortestLook, kLongestLook);
  }

  // A guess on the safe side; time slots are made to fit it.
  Duration LongestSave() const {
    if (!saves_.empty()) return 2 * Duration(static_cast<int64_t>(Highest(saves_)));
    const BenchPlan& plan = result_.plan;
    const Bytes rate =
        plan.output.bandwidth.count > 0 ? std::min(plan.output.bandwidth, kSlowSave) : kSlowSave;
    const double seconds = static_cast<double>(plan.memory.count) / static_cast<double>(rate.count);
    return Duration(static_cast<int64_t>(seconds * 1e9));
  }

  BenchStop& stop_;
  const std::function<void(const BenchProgress&)>& progress_;
  BenchResult result_;
  BenchProgress at_;
  std::vector<double> saves_;  // how long each took, in nanoseconds
};

}  // namespace

Result<BenchResult> RunBench(const BenchPlan& plan, BenchStop& stop,
                             const std::function<void(const BenchProgress&)>& progress) {
  return Suite(plan, stop, progress).Run();
}

}  // namespace stillframe::evaluate
