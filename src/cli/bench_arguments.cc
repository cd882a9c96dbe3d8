#include "cli/bench_arguments.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <sstream>
#include <string_view>

#include "cli/option_parser.h"
#include "cli/option_value.h"

namespace stillframe {
namespace {

using evaluate::BenchMethodPtr;
using evaluate::BenchOutputPlan;
using evaluate::BenchPlan;
using std::chrono::milliseconds;
using std::chrono::seconds;

using Text = std::optional<std::string>;

constexpr char kAbout[] =
    R"(Measures what a save costs the program that is saved: starts a workload that times each of its
writes, saves it in every way in turn, and prints a table. Nothing else has to run, and root is
needed.

Workloads: uniform, zipf, sequential (where writes go), burst (all of them in 100 ms of every 500),
churn (with malloc, free, madvise and mremap beside the writes), idle.
Outputs: null (/dev/null), a FILE, stall:50ms/250ms (a pipe whose reader stalls 50 ms of every 250),
stall:1s/once (one whose reader stalls for a second, once), limit:100M (one whose reader takes
100 MiB a second).
Methods: none (no save; always taken), skip, ramp, adaptive, off (throttles), fork, stop;
and when asked for: precopy (Linux 6.7), late (--instant late), self-fork (the workload
forks, the child writes its memory out); NAME=COMMAND (run by sh -c with PID and OUTPUT in its
environment; no commas).)";

struct RawOptions {
  explicit RawOptions(OptionParser& p)
      : workload(p.AddValue("workload", 0, "NAME", "What is saved (uniform)")),
        memory(p.AddValue("memory", 0, "SIZE", "Memory of the workload (2G)")),
        threads(p.AddValue("threads", 0, "N", "Threads that write (2)")),
        rate(p.AddValue("rate", 0, "N|max", "Writes per second, all together (2000)")),
        output(p.AddValue("output", 'o', "OUTPUT", "Where images go (null)")),
        method(p.AddValue("method", 0, "LIST", "Methods, with commas between them")),
        runs(p.AddValue("runs", 0, "N", "How often each takes its turn (5)")),
        seed(p.AddValue("seed", 0, "N", "The same seed, the same writes (1)")),
        json(p.AddValue("json", 0, "FILE", "Everything that was measured")),
        report(p.AddValue("report", 0, "FILE.html", "The same as a picture")),
        inject_stall(p.AddValue("inject-stall", 0, "TIME",
                                "To test the bench: hold up a write in each round")),
        corrupt_after(p.AddValue("corrupt-after", 0, "N",
                                 "To test the bench: put a wrong byte after N writes")) {}

  const Text& workload;
  const Text& memory;
  const Text& threads;
  const Text& rate;
  const Text& output;
  const Text& method;
  const Text& runs;
  const Text& seed;
  const Text& json;
  const Text& report;
  const Text& inject_stall;
  const Text& corrupt_after;
};

std::string WorkloadNames() {
  std::string names;
  for (const auto& kind : evaluate::BenchWorkloadKinds()) {
    names += (names.empty() ? "" : ", ") + std::string(kind.name);
  }
  return names;
}

std::string MethodNames() {
  std::string names;
  for (const BenchMethodPtr& method : evaluate::BenchMethods()) names += method->name + ", ";
  return names + "NAME=COMMAND";
}

Result<void> FillWorkload(const RawOptions& raw, BenchPlan& to) {
  const std::string name = raw.workload.value_or("uniform");
  to.workload = evaluate::FindBenchWorkloadKind(name);
  if (to.workload == nullptr) {
    return Fail(ErrorCode::kUsage,
                "--workload \"" + name + "\" is not accepted: give one of " + WorkloadNames());
  }
  if (raw.memory) {
    STILLFRAME_ASSIGN(to.memory, ParseSize("--memory", *raw.memory, {MiB(1), GiB(1024)}));
  }
  if (raw.threads) {
    STILLFRAME_ASSIGN(to.threads,
                      ParseCount("--threads", *raw.threads, {1, BenchPlan::kMostThreads}));
  }
  if (raw.rate && *raw.rate == "max") {
    to.rate = 0;
  } else if (raw.rate) {
    STILLFRAME_ASSIGN(const uint64_t rate, ParseCount("--rate", *raw.rate, {1, 1'000'000'000}));
    to.rate = static_cast<double>(rate);
  }
  if (raw.seed) {
    STILLFRAME_ASSIGN(to.seed, ParseNumber("--seed", *raw.seed));
  }
  return {};
}

Result<void> FillStall(std::string_view text, BenchOutputPlan& to) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return Fail(ErrorCode::kUsage, "--output \"stall:" + std::string(text) +
                                       "\" is not accepted: give stall:TIME/PERIOD or "
                                       "stall:TIME/once, as in stall:50ms/250ms");
  }
  STILLFRAME_ASSIGN(to.stall, ParseDuration("--output stall:", text.substr(0, slash),
                                            {milliseconds(1), seconds(60)}));
  if (text.substr(slash + 1) == "once") return {};
  STILLFRAME_ASSIGN(to.period, ParseDuration("--output stall:TIME/", text.substr(slash + 1),
                                             {milliseconds(2), seconds(120)}));
  if (to.stall >= to.period) {
    return Fail(ErrorCode::kUsage, "--output stall: a stall of " + DurationText(to.stall) +
                                       " does not fit into a period of " + DurationText(to.period));
  }
  return {};
}

Result<void> FillOutput(const std::string& text, BenchOutputPlan& to) {
  constexpr std::string_view kStall = "stall:";
  constexpr std::string_view kLimit = "limit:";
  to.name = text;
  if (text == "null") return {};
  if (text.starts_with(kStall)) {
    to.kind = BenchOutputPlan::Kind::kPipe;
    return FillStall(std::string_view(text).substr(kStall.size()), to);
  }
  if (text.starts_with(kLimit)) {
    to.kind = BenchOutputPlan::Kind::kPipe;
    STILLFRAME_ASSIGN(to.bandwidth,
                      ParseSize("--output limit:", std::string_view(text).substr(kLimit.size()),
                                {KiB(64), GiB(1024)}));
    return {};
  }
  to.kind = BenchOutputPlan::Kind::kFile;
  to.path = text;
  if (text.empty() || access(text.c_str(), F_OK) == 0) {
    return Fail(ErrorCode::kUsage,
                "--output \"" + text + "\" is there already, and the bench removes what it writes",
                "name a file that does not exist");
  }
  return {};
}

// In the order of the list, each once; "none" in front unless it stands elsewhere.
Result<void> FillMethods(const Text& text, BenchPlan& to) {
  if (!text) {
    for (const BenchMethodPtr& method : evaluate::BenchMethods()) {
      if (method->usual) to.methods.push_back(method);
    }
    return {};
  }
  const auto taken = [&](const std::string& name) {
    return std::ranges::any_of(to.methods, [&](const auto& each) { return each->name == name; });
  };
  std::istringstream list(*text);
  for (std::string name; std::getline(list, name, ',');) {
    const BenchMethodPtr method = evaluate::FindBenchMethod(name);
    if (method == nullptr) {
      return Fail(ErrorCode::kUsage,
                  "--method \"" + name + "\" is not accepted: give some of " + MethodNames());
    }
    if (!taken(method->name)) to.methods.push_back(method);
  }
  if (to.methods.empty()) {
    return Fail(ErrorCode::kUsage, "--method \"\" is not accepted: give some of " + MethodNames());
  }
  if (!taken("none")) to.methods.insert(to.methods.begin(), evaluate::FindBenchMethod("none"));
  return {};
}

Result<void> FillHooks(const RawOptions& raw, BenchPlan& to) {
  if (raw.inject_stall) {
    STILLFRAME_ASSIGN(to.inject_stall, ParseDuration("--inject-stall", *raw.inject_stall,
                                                     {milliseconds(1), seconds(10)}));
  }
  if (raw.corrupt_after) {
    STILLFRAME_ASSIGN(to.corrupt_after, ParseNumber("--corrupt-after", *raw.corrupt_after));
  }
  return {};
}

}  // namespace

Result<BenchArguments> ParseBenchArguments(const std::vector<std::string>& arguments) {
  OptionParser parser("bench", "", kAbout);
  const RawOptions raw(parser);
  STILLFRAME_TRY(parser.Parse(arguments, 0));
  BenchArguments parsed;
  if (parser.help_wanted()) {
    parsed.help = parser.Help();
    return parsed;
  }
  BenchPlan& plan = parsed.plan;
  STILLFRAME_TRY(FillWorkload(raw, plan));
  STILLFRAME_TRY(FillOutput(raw.output.value_or("null"), plan.output));
  STILLFRAME_TRY(FillMethods(raw.method, plan));
  STILLFRAME_TRY(FillHooks(raw, plan));
  if (raw.runs) {
    STILLFRAME_ASSIGN(plan.runs, ParseCount("--runs", *raw.runs, {1, 1000}));
  }
  parsed.json = raw.json.value_or("");
  parsed.report = raw.report.value_or("");
  plan.record = !parsed.report.empty();
  return parsed;
}

}  // namespace stillframe
