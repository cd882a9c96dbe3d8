#include "evaluate/bench/figures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "evaluate/bench/statistics.h"
#include "report/text.h"

namespace stillframe::evaluate {
namespace {

using Figure = std::optional<double>;

constexpr Duration kLate = std::chrono::milliseconds(5);

double Nanoseconds(Duration duration) { return static_cast<double>(duration.count()); }

Figure Pause(const BenchRound& round, const BenchRound&) {
  if (!round.summary) return std::nullopt;
  return Nanoseconds(round.summary->pause);
}

Figure WorstGap(const BenchRound& round, const BenchRound&) { return Nanoseconds(round.worst_gap); }

template <int kPerMille>
Figure LatencyAt(const BenchRound& round, const BenchRound&) {
  if (round.latencies.count() == 0) return std::nullopt;
  if (kPerMille == 1000) return Nanoseconds(round.latencies.max());
  return Nanoseconds(round.latencies.Quantile(kPerMille / 1000.0));
}

Figure Late(const BenchRound& round, const BenchRound&) {
  if (round.latencies.count() == 0) return std::nullopt;
  return static_cast<double>(round.latencies.CountAbove(kLate));
}

Figure Kept(const BenchRound& round, const BenchRound& none) {
  if (none.throughput() <= 0) return std::nullopt;
  return round.throughput() / none.throughput();
}

Figure Lost(const BenchRound& round, const BenchRound&) {
  if (!round.summary) return std::nullopt;
  return static_cast<double>(round.summary->pages.lost.count);
}

Figure Total(const BenchRound& round, const BenchRound&) {
  if (!round.method->saves()) return std::nullopt;
  return Nanoseconds(round.total);
}

Figure ExtraMemory(const BenchRound& round, const BenchRound&) {
  if (!round.method->saves()) return std::nullopt;
  return static_cast<double>(round.extra_memory.count);
}

constexpr std::array kColumns = {
    BenchColumn{"pause_ns", "pause", FigureKind::kDuration, false, &Pause},
    BenchColumn{"worst_gap_ns", "worst gap", FigureKind::kDuration, true, &WorstGap},
    BenchColumn{"p50_ns", "p50", FigureKind::kDuration, false, &LatencyAt<500>},
    BenchColumn{"p99_ns", "p99", FigureKind::kDuration, false, &LatencyAt<990>},
    BenchColumn{"p999_ns", "p99.9", FigureKind::kDuration, true, &LatencyAt<999>},
    BenchColumn{"max_ns", "max", FigureKind::kDuration, true, &LatencyAt<1000>},
    BenchColumn{"over_5ms", "> 5 ms", FigureKind::kCount, true, &Late},
    BenchColumn{"throughput_kept", "kept", FigureKind::kRatio, true, &Kept},
    BenchColumn{"lost_pages", "lost", FigureKind::kCount, false, &Lost},
    BenchColumn{"total_ns", "total", FigureKind::kDuration, true, &Total},
    BenchColumn{"extra_memory_bytes", "memory", FigureKind::kBytes, false, &ExtraMemory},
};

// The round of method `none` in the same run as `round`.
const BenchRound* NoneOf(const BenchResult& result, const BenchRound& round) {
  for (size_t m = 0; m < result.plan.methods.size(); ++m) {
    if (result.plan.methods[m]->saves()) continue;
    const auto found = std::ranges::find(result.rounds[m], round.run, &BenchRound::run);
    if (found != result.rounds[m].end()) return &*found;
  }
  return nullptr;
}

struct Unit {
  double size;
  std::string_view name;
};

Unit UnitOf(FigureKind kind, double value) {
  if (kind == FigureKind::kBytes) {
    if (value >= static_cast<double>(GiB(1).count))
      return {static_cast<double>(GiB(1).count), "GiB"};
    return {static_cast<double>(MiB(1).count), "MiB"};
  }
  if (kind != FigureKind::kDuration) return {1, ""};
  if (value >= 1e9) return {1e9, "s"};
  return value >= 1e6 ? Unit{1e6, "ms"} : Unit{1e3, "us"};
}

// Three digits that mean something; a count in full.
std::string Digits(FigureKind kind, double value) {
  const int decimals = kind == FigureKind::kCount ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
  return buffer.data();
}

std::string WithUnit(std::string digits, const Unit& unit) {
  if (unit.name.empty()) return digits;
  return digits + " " + std::string(unit.name);
}

}  // namespace

std::span<const BenchColumn> BenchColumns() { return kColumns; }

std::optional<Spread> SpreadOf(const BenchResult& result, size_t method,
                               const BenchColumn& column) {
  std::vector<double> values;
  for (const BenchRound& round : result.rounds[method]) {
    const BenchRound* none = NoneOf(result, round);
    if (round.error || none == nullptr) continue;
    if (const auto value = column.of(round, *none)) values.push_back(*value);
  }
  if (values.empty()) return std::nullopt;
  return Spread{Median(values), Lowest(values), Highest(values)};
}

std::string FigureText(FigureKind kind, double value) {
  const Unit unit = UnitOf(kind, value);
  return WithUnit(Digits(kind, value / unit.size), unit);
}

std::string RangeText(FigureKind kind, double lowest, double highest) {
  const Unit unit = UnitOf(kind, highest);
  return WithUnit(Digits(kind, lowest / unit.size) + "-" + Digits(kind, highest / unit.size), unit);
}

const Error* FirstErrorOf(const BenchResult& result, size_t method) {
  for (const BenchRound& round : result.rounds[method]) {
    if (round.error) return &*round.error;
  }
  return nullptr;
}

LatencyCounts LatenciesOf(const BenchResult& result, size_t method) {
  LatencyCounts all;
  for (const BenchRound& round : result.rounds[method]) {
    if (!round.error) all.Add(round.latencies);
  }
  return all;
}

}  // namespace stillframe::evaluate
