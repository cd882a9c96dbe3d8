// The columns of the bench's table, and what the rounds of a method come to in each.
#ifndef STILLFRAME_EVALUATE_BENCH_FIGURES_H_
#define STILLFRAME_EVALUATE_BENCH_FIGURES_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "evaluate/bench/suite.h"

namespace stillframe::evaluate {

enum class FigureKind { kDuration, kCount, kRatio, kBytes };

struct BenchColumn {
  std::string_view key;    // in JSON; its end names the unit
  std::string_view title;  // in the table
  FigureKind kind;
  bool show_range;  // lowest and highest stand in the table too
  // Of one round: nanoseconds, a count, a ratio, bytes. `none`: the round without a save of the
  // same run. Nothing where it was not measured or makes no sense.
  std::optional<double> (*of)(const BenchRound& round, const BenchRound& none);
};
std::span<const BenchColumn> BenchColumns();

// Over the rounds of one method that have the figure.
struct Spread {
  double median = 0;
  double lowest = 0;
  double highest = 0;
};
std::optional<Spread> SpreadOf(const BenchResult& result, size_t method, const BenchColumn& column);

// "4.21 ms", "12", "0.97", "64.0 MiB".
std::string FigureText(FigureKind kind, double value);
// "3.90-5.12 ms": both in the unit of the higher.
std::string RangeText(FigureKind kind, double lowest, double highest);

// The first error of a method's rounds; null for none.
const Error* FirstErrorOf(const BenchResult& result, size_t method);
// All writes of all rounds of a method.
LatencyCounts LatenciesOf(const BenchResult& result, size_t method);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_FIGURES_H_
