#include "evaluate/bench/json.h"

#include <array>
#include <cstdio>
#include <string>

#include "evaluate/bench/figures.h"
#include "report/error_report.h"
#include "report/summary_report.h"

namespace stillframe::evaluate {
namespace {

// A hash is no number: JSON holds 53 bits of one.
Json HexOrNull(const std::optional<uint64_t>& hash) {
  if (!hash) return nullptr;
  std::array<char, 17> text;
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(*hash));
  return std::string(text.data());
}

Json PlanToJson(const BenchResult& result) {
  const BenchPlan& plan = result.plan;
  return {{"kind", plan.workload->name},
          {"memory_bytes", plan.memory.count},
          {"threads", plan.threads},
          {"writes_per_second", plan.rate > 0 ? Json(plan.rate) : Json("max")},
          {"seed", plan.seed},
          {"fingerprint", HexOrNull(result.fingerprint)},
          {"timing_cost_ns", result.timing_cost_ns}};
}

Json MachineToJson(const BenchResult& result) {
  const MachineFacts& machine = result.machine;
  return {{"date", machine.date},     {"cpus", machine.cpus},
          {"cpu", machine.cpu},       {"memory_bytes", machine.memory.count},
          {"kernel", machine.kernel}, {"busy_before", result.busy}};
}

// [lowest, highest, count] of each bucket that holds something, in nanoseconds.
Json CountsToJson(const LatencyCounts& counts) {
  Json list = Json::array();
  for (size_t i = 0; i < LatencyCounts::kBuckets; ++i) {
    if (counts.in_bucket(i) == 0) continue;
    list.push_back({LatencyCounts::LowestIn(i).count(), LatencyCounts::HighestIn(i).count(),
                    counts.in_bucket(i)});
  }
  return list;
}

Json RoundToJson(const BenchResult& result, const BenchRound& round) {
  Json json = {{"run", round.run}};
  if (round.error) {
    json["error"] = ErrorToJson("save", *round.error)["error"];
    return json;
  }
  json["window_ns"] = round.window.count();
  json["writes"] = round.latencies.count();
  json["writes_done"] = round.writes_done;
  json["output_stalls"] = round.output_stalls;
  json["latency_ns"] = CountsToJson(round.latencies);
  if (round.summary) json["save"] = SummaryToJson(*round.summary, result.plan.output.name);
  return json;
}

Json FiguresToJson(const BenchResult& result, size_t method) {
  Json figures = Json::object();
  for (const BenchColumn& column : BenchColumns()) {
    const auto spread = SpreadOf(result, method, column);
    figures[std::string(column.key)] = spread ? Json{{"median", spread->median},
                                                     {"lowest", spread->lowest},
                                                     {"highest", spread->highest}}
                                              : Json(nullptr);
  }
  return figures;
}

}  // namespace

Json BenchToJson(const BenchResult& result) {
  Json json = JsonReport("bench");
  json["machine"] = MachineToJson(result);
  json["workload"] = PlanToJson(result);
  json["output"] = result.plan.output.name;
  json["runs"] = result.plan.runs;
  json["methods"] = Json::array();
  for (size_t m = 0; m < result.plan.methods.size(); ++m) {
    Json rounds = Json::array();
    for (const BenchRound& round : result.rounds[m]) rounds.push_back(RoundToJson(result, round));
    json["methods"].push_back({{"name", result.plan.methods[m]->name},
                               {"about", result.plan.methods[m]->about},
                               {"figures", FiguresToJson(result, m)},
                               {"rounds", rounds}});
  }
  return json;
}

}  // namespace stillframe::evaluate
