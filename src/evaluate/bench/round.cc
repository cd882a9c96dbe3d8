#include "evaluate/bench/round.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "evaluate/bench/command_run.h"
#include "evaluate/bench/memory.h"
#include "evaluate/bench/output.h"
#include "stillframe/image.h"
#include "stillframe/target.h"

namespace stillframe::evaluate {
namespace {

using Clock = std::chrono::steady_clock;

// Before the window, so that a round does not begin with what the one before left to be done.
constexpr Duration kSettle = std::chrono::milliseconds(200);
// Until what was intended in the window must be done and recorded, unless a write takes for ever.
constexpr Duration kAfter = std::chrono::milliseconds(50);

Result<SaveSummary> SaveByLibrary(const BenchMethod& method, const BenchWorkload& workload,
                                  const Output& output, BenchRecord* record, BenchStop& stop) {
  SaveOptions options = method.options;
  if (record != nullptr) options.trace = &record->trace;
  // A policy that the library doesn't know is found before anything is touched.
  STILLFRAME_TRY(MakeThrottlePolicy(options.throttle));
  STILLFRAME_ASSIGN(std::unique_ptr<PageSink> sink, CreateImage(output));
  if (record != nullptr) sink = RecordPages(std::move(sink), record->pages);
  STILLFRAME_ASSIGN(std::unique_ptr<Target> target,
                    AttachProcess(workload.pid(), AttachOptionsFor(options.via)));
  STILLFRAME_ASSIGN(const std::unique_ptr<SaveSession> session,
                    SaveSession::Create(std::move(target), std::move(sink), std::move(options)));
  return stop.Run(*session);
}

// Everything about one round that is measured, in the order of time.
class Round {
 public:
  Round(const BenchPlan& plan, const RoundPlan& round, BenchWorkload& workload, BenchStop& stop)
      : plan_(plan), planned_(round), workload_(workload), stop_(stop) {
    result_.method = round.method;
    result_.run = round.run;
    if (round.record) result_.record = std::make_shared<BenchRecord>();
  }

  Result<BenchRound> Run() {
    began_ = Clock::now() + kSettle;
    workload_.board().Start(began_, planned_.expected);
    STILLFRAME_TRY(stop_.SleepUntil(began_));
    if (plan_.inject_stall.count() > 0) STILLFRAME_TRY(workload_.InjectStall(plan_.inject_stall));
    if (planned_.method->saves()) {
      STILLFRAME_TRY(RunSave());
    } else {
      STILLFRAME_TRY(stop_.SleepFor(planned_.expected));
    }
    if (ended_ == TimePoint()) ended_ = Clock::now();
    result_.total = ended_ - began_;
    STILLFRAME_TRY(stop_.SleepFor(kAfter));
    STILLFRAME_TRY(workload_.CheckRunning());
    Collect();
    if (result_.record) Draw();
    return std::move(result_);
  }

 private:
  Result<void> RunSave() {
    STILLFRAME_ASSIGN(const auto output, BenchOutput::Open(plan_.output));
    MemoryWatch memory(workload_.pid());
    const Result<void> saved = Save(*output);
    ended_ = Clock::now();
    result_.extra_memory = memory.Stop();
    if (stop_.cancelled()) return Fail(ErrorCode::kInterrupted, "interrupted: the bench was ended");
    if (!saved) {
      result_.error = saved.error();
      return {};
    }
    result_.output_stalls = output->Finish();
    return {};
  }

  Result<void> Save(const BenchOutput& output) {
    const BenchMethod& method = *planned_.method;
    switch (method.by) {
      case BenchMethod::By::kItself:
        return workload_.SaveItself(output.path(), stop_);
      case BenchMethod::By::kCommand:
        return RunSaveCommand(method.command, workload_.pid(), output.path(), plan_.command_timeout,
                              stop_);
      case BenchMethod::By::kLibrary:
      case BenchMethod::By::kNobody:
        break;
    }
    STILLFRAME_ASSIGN(result_.summary, SaveByLibrary(method, workload_, output.output(),
                                                     result_.record.get(), stop_));
    return {};
  }

  void Collect() {
    const LatencyBoard& board = workload_.board();
    result_.window = board.EndOfSlot(ended_) - began_;
    for (size_t lane = 0; lane < workload_.clock_lane(); ++lane) {
      result_.latencies.Add(board.Collect(lane, began_, ended_));
      result_.writes_done += board.CountDone(lane, began_, ended_);
    }
    result_.worst_gap = board.Collect(workload_.clock_lane(), began_, ended_).max();
  }

  // What the heat map of a report is made of.
  void Draw() {
    BenchRecord& record = *result_.record;
    const TimePoint zero = record.trace.start == TimePoint() ? began_ : record.trace.start;
    record.begin = began_ - zero;
    record.end = ended_ - zero;
    const LatencyBoard& board = workload_.board();
    // Columns as wide as the slots that the counts come in: narrower ones would stay empty.
    HtmlHeatMapBuilder heat(record.begin, board.slot());
    for (size_t lane = 0; lane < workload_.clock_lane(); ++lane) {
      board.ForEach(lane, began_, ended_, [&](TimePoint at, Duration latency, uint64_t count) {
        heat.Add(at - zero, latency, count);
      });
    }
    record.latency = heat.map();
  }

  const BenchPlan& plan_;
  const RoundPlan& planned_;
  BenchWorkload& workload_;
  BenchStop& stop_;
  BenchRound result_;
  TimePoint began_;
  TimePoint ended_;
};

}  // namespace

double BenchRound::throughput() const {
  const double seconds = std::chrono::duration<double>(window).count();
  return seconds > 0 ? static_cast<double>(writes_done) / seconds : 0;
}

Result<BenchRound> RunBenchRound(const BenchPlan& plan, const RoundPlan& round,
                                 BenchWorkload& workload, BenchStop& stop) {
  return Round(plan, round, workload, stop).Run();
}

}  // namespace stillframe::evaluate
