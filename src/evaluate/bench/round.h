// One method's turn: a save, or a stretch of time without one, and what the workload felt of it.
#ifndef STILLFRAME_EVALUATE_BENCH_ROUND_H_
#define STILLFRAME_EVALUATE_BENCH_ROUND_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "evaluate/bench/counts.h"
#include "evaluate/bench/plan.h"
#include "evaluate/bench/stop.h"
#include "evaluate/bench/workload.h"
#include "report/html_heat_map.h"
#include "report/html_page_recorder.h"
#include "stillframe/error.h"
#include "stillframe/save.h"
#include "stillframe/save_trace.h"
#include "stillframe/units.h"

namespace stillframe::evaluate {

// What a report draws of a round. Times count as HtmlPanel has them: from the end of the pause, or
// from the begin of the round where nothing was saved.
struct BenchRecord {
  Duration begin{0};
  Duration end{0};
  HtmlHeatMap latency;
  SaveTrace trace;
  std::shared_ptr<HtmlPageRecord> pages = std::make_shared<HtmlPageRecord>();
};

struct BenchRound {
  BenchMethodPtr method;
  size_t run = 0;              // from 1
  std::optional<Error> error;  // then nothing else counts
  // Of a save by the library only.
  std::optional<SaveSummary> summary;
  Duration total{0};         // from before the output was opened until all was done
  Duration window{0};        // in which writes were looked at: total, rounded up to time slots
  LatencyCounts latencies;   // of writes that were intended in the window
  uint64_t writes_done = 0;  // in the window
  Duration worst_gap{0};     // the longest that a thread without work didn't get to run
  Bytes extra_memory{0};
  uint64_t output_stalls = 0;
  std::shared_ptr<BenchRecord> record;  // when asked for

  // Writes a second in the window.
  double throughput() const;
};

struct RoundPlan {
  BenchMethodPtr method;
  size_t run = 1;
  Duration expected{0};  // how long a save may take; without a save it is how long to look
  bool record = false;
};

// Errors: kInterrupted, and of a workload that ended. What goes wrong with the save itself is the
// round's own error.
Result<BenchRound> RunBenchRound(const BenchPlan& plan, const RoundPlan& round,
                                 BenchWorkload& workload, BenchStop& stop);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_ROUND_H_
