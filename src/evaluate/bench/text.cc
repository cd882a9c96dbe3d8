#include "evaluate/bench/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "evaluate/bench/figures.h"
#include "report/text.h"

namespace stillframe::evaluate {
namespace {

constexpr size_t kNameWidth = 9;
constexpr size_t kNarrow = 8;
constexpr size_t kBetween = 2;

std::string PadLeft(std::string text, size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string PadRight(std::string text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

std::string Decimal(double value, int decimals) {
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
  return buffer.data();
}

// A cell's two lines.
struct Cell {
  std::string median = "-";
  std::string range;
};

Cell CellOf(const BenchResult& result, size_t method, const BenchColumn& column) {
  const auto spread = SpreadOf(result, method, column);
  if (!spread) return {};
  Cell cell{.median = FigureText(column.kind, spread->median), .range = {}};
  if (column.show_range && result.plan.runs > 1) {
    cell.range = RangeText(column.kind, spread->lowest, spread->highest);
  }
  return cell;
}

struct Table {
  std::vector<std::vector<Cell>> rows;  // by method, then column
  std::vector<size_t> widths;
};

Table MakeTable(const BenchResult& result) {
  Table table;
  for (const BenchColumn& column : BenchColumns()) {
    table.widths.push_back(std::max(kNarrow, column.title.size()));
  }
  for (size_t m = 0; m < result.plan.methods.size(); ++m) {
    std::vector<Cell>& row = table.rows.emplace_back();
    for (size_t c = 0; c < BenchColumns().size(); ++c) {
      row.push_back(CellOf(result, m, BenchColumns()[c]));
      table.widths[c] =
          std::max({table.widths[c], row.back().median.size(), row.back().range.size()});
    }
  }
  return table;
}

template <class Text>
std::string Line(const Table& table, const std::string& name, Text text_of) {
  std::string line = PadRight(name, kNameWidth);
  for (size_t c = 0; c < table.widths.size(); ++c) {
    line += PadLeft(text_of(c), table.widths[c] + kBetween);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string RowText(const BenchResult& result, size_t m, const Table& table) {
  const std::string& name = result.plan.methods[m]->name;
  std::string text;
  const auto& row = table.rows[m];
  const bool measured =
      std::ranges::any_of(row, [](const Cell& cell) { return cell.median != "-"; });
  const Error* error = FirstErrorOf(result, m);
  if (measured || error == nullptr) {
    text += Line(table, name, [&](size_t c) { return row[c].median; });
    if (result.plan.runs > 1) text += Line(table, "", [&](size_t c) { return row[c].range; });
  }
  if (error != nullptr) {
    text += PadRight(name, kNameWidth) + "  failed: " + error->message +
            (error->hint.empty() ? "" : "; " + error->hint) + "\n";
  }
  return text;
}

}  // namespace

std::string JobText(const BenchPlan& plan) {
  std::string text(plan.workload->name);
  text += ", " + FormatBytes(plan.memory);
  if (plan.workload->writes) {
    text += ", " + std::to_string(plan.threads) + (plan.threads == 1 ? " writer" : " writers");
    text += plan.rate > 0 ? ", " + Decimal(plan.rate, 0) + " writes/s" : ", as fast as it goes";
  }
  return text + ", to " + Printable(plan.output.name) + ", seed " + std::to_string(plan.seed);
}

std::string MachineText(const MachineFacts& machine) {
  return std::to_string(machine.cpus) + " x " + machine.cpu + ", " + FormatBytes(machine.memory) +
         ", Linux " + machine.kernel;
}

std::string TimingText(const BenchResult& result) {
  std::string text = "timing a write costs " + Decimal(result.timing_cost_ns, 0) + " ns";
  text += "; CPUs in use before the start: " + Decimal(result.busy * 100, 0) + "%";
  if (result.busy > kQuietShare) text += ", so others were at work: figures are noise";
  return text;
}

std::string BenchTable(const BenchResult& result) {
  std::string text = "# " + JobText(result.plan) + "\n";
  text += "# " + result.machine.date + ", " + MachineText(result.machine) + "\n";
  text += "# " + TimingText(result) + "\n";
  text += "# medians of " + std::to_string(result.plan.runs) +
          " runs, under them the lowest and highest; latencies of writes during the save\n\n";
  const Table table = MakeTable(result);
  text += Line(table, "method", [](size_t c) { return std::string(BenchColumns()[c].title); });
  for (size_t m = 0; m < table.rows.size(); ++m) text += RowText(result, m, table);
  return text;
}

}  // namespace stillframe::evaluate
