#include "save/trace_head.h"

namespace stillframe {

void FillTraceHead(const SaveOptions& options, const TrackedMemory& memory) {
  if (options.trace == nullptr) return;
  SaveTrace& trace = *options.trace;
  trace.throttle = options.throttle;
  trace.stage_size = options.stage;
  trace.max_bandwidth = options.max_bandwidth;
  trace.present = memory.ledger.present.CountSet();
  for (const Region& region : memory.regions.regions()) {
    if (trace.ranges.size() >= SaveTrace::kMostRanges) {
      ++trace.ranges_left_out;
    } else {
      trace.ranges.push_back(region.range);
    }
  }
}

}  // namespace stillframe
