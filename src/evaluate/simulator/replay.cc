#include "evaluate/simulator/replay.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace stillframe::evaluate {
namespace {

// The first page of each range, in the scan's order: small ones first.
std::vector<uint64_t> FirstPages(const std::vector<AddressRange>& ranges) {
  std::vector<size_t> order(ranges.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&ranges](size_t a, size_t b) {
    return std::bit_width(ranges[a].pages().count) < std::bit_width(ranges[b].pages().count);
  });
  std::vector<uint64_t> first(ranges.size());
  uint64_t pages = 0;
  for (const size_t i : order) {
    first[i] = pages;
    pages += ranges[i].pages().count;
  }
  return first;
}

// How many threads waited at once.
int MostWaiting(const SaveTrace& trace) {
  std::vector<std::pair<Duration, int>> changes;
  for (const TracedFault& fault : trace.faults) {
    changes.emplace_back(fault.arrival, 1);
    changes.emplace_back(fault.arrival + fault.wait, -1);
  }
  std::sort(changes.begin(), changes.end());
  int waiting = 0;
  int most = 1;
  for (const auto& [time, change] : changes) most = std::max(most, waiting += change);
  return most;
}

}  // namespace

std::vector<ReplayedWrite> ReplayedWrites(const SaveTrace& trace) {
  const std::vector<uint64_t> first = FirstPages(trace.ranges);
  std::vector<ReplayedWrite> writes;
  for (const TracedFault& fault : trace.faults) {
    const auto behind = std::upper_bound(
        trace.ranges.begin(), trace.ranges.end(), fault.address,
        [](TargetAddress address, const AddressRange& range) { return address < range.begin; });
    if (behind == trace.ranges.begin() || !std::prev(behind)->Contains(fault.address)) continue;
    const auto i = static_cast<size_t>(std::prev(behind) - trace.ranges.begin());
    const uint64_t into = (fault.address - trace.ranges[i].begin).count / kPageSize.count;
    writes.push_back({.at = fault.arrival, .page = first[i] + into});
  }
  std::stable_sort(writes.begin(), writes.end(),
                   [](const ReplayedWrite& a, const ReplayedWrite& b) { return a.at < b.at; });
  return writes;
}

Result<SimulatorSetup> ReplaySetup(const SaveTrace& trace) {
  uint64_t pages = 0;
  for (const AddressRange& range : trace.ranges) pages += range.pages().count;
  if (pages == 0) {
    return Fail(ErrorCode::kUsage, "the trace knows of no memory, so there is nothing to replay",
                "take one of a save that scans: not with --via stop or fork");
  }
  SimulatorSetup setup;
  setup.memory = kPageSize * pages;
  setup.stage = trace.stage_size;
  setup.workload = {.name = "replay",
                    .pattern = WorkloadModel::Pattern::kReplay,
                    .writers = std::min(64, MostWaiting(trace)),
                    .trace = &trace};
  if (trace.max_bandwidth.count > 0) {
    setup.output = LimitedOutput("as recorded", static_cast<double>(trace.max_bandwidth.count));
  }
  return setup;
}

}  // namespace stillframe::evaluate
