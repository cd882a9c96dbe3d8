#include "unit/report_html_sample.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "report/html_panel.h"

namespace stillframe::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kLength = seconds(3);
constexpr int kStalls = 4;

Duration Microseconds(double us) { return Duration(static_cast<int64_t>(us * 1000)); }

// Latencies as of a program that is being saved: short ones, a tail, and some stalls of the output.
class LatencySource {
 public:
  explicit LatencySource(unsigned seed, double typical_us) : random_(seed), typical_(typical_us) {}

  Duration Next() {
    const double tail = uniform_(random_) < 0.01 ? 30 : 1;
    return Microseconds(typical_ * tail * std::exp(normal_(random_) * 0.5));
  }

 private:
  std::mt19937 random_;
  std::normal_distribution<double> normal_;
  std::uniform_real_distribution<double> uniform_;
  double typical_;
};

// When the output stalls.
bool InStall(Duration at) {
  return at > Duration(0) && at % (kLength / kStalls) > milliseconds(600) &&
         at % (kLength / kStalls) < milliseconds(650);
}

SavedMapping SampleMapping(uint64_t begin, Bytes size, std::string name) {
  SavedMapping saved;
  saved.mapping.range = {TargetAddress{begin}, TargetAddress{begin} + size};
  saved.mapping.readable = saved.mapping.writable = true;
  saved.mapping.name = std::move(name);
  saved.saved = saved.mapping.range;
  return saved;
}

HtmlMemoryMap SampleMemory(unsigned seed) {
  std::vector<SavedMapping> mappings = {
      SampleMapping(0x55d0c0de0000, KiB(24), "/usr/bin/workload"),
      SampleMapping(0x55d0c2000000, MiB(96), "[heap]"),
      SampleMapping(0x7f3a00000000, MiB(512), ""),
  };
  for (uint64_t i = 0; i < 40; ++i) {
    mappings.push_back(SampleMapping(0x7f3b00000000 + (i << 20), KiB(4 + 12 * (i % 7)),
                                     "/usr/lib/x86_64-linux-gnu/lib" + std::to_string(i) + ".so"));
  }
  mappings.push_back(SampleMapping(0x7ffc00000000, KiB(132), "[stack]"));
  std::mt19937 random(seed);
  std::vector<HtmlPageRange> ranges;
  for (const SavedMapping& mapping : mappings) {
    TargetAddress at = mapping.saved.begin;
    while (at < mapping.saved.end) {
      const uint64_t kind = random() % 100;
      const Bytes size =
          std::min(kPageSize * (1 + random() % (kind < 30 ? 2000 : 300)), mapping.saved.end - at);
      const HtmlPageKind kinds[] = {HtmlPageKind::kZero, HtmlPageKind::kFaulted,
                                    HtmlPageKind::kScanned};
      HtmlPageKind chosen = kinds[kind < 10 ? 0 : kind < 45 ? 1 : 2];
      if (kind == 99) chosen = HtmlPageKind::kLost;
      if (mapping.mapping.name.ends_with(".so")) chosen = HtmlPageKind::kPaused;
      ranges.push_back({{at, at + size}, chosen});
      at = at + size;
    }
  }
  return MakeHtmlMemoryMap(mappings, ranges);
}

// One method: its row, its curve, its panel.
struct Sample {
  std::string name;
  double typical_us;
  Duration stall;  // of the writes that hit a stall of the output
  Duration pause;
};

void AddMethod(HtmlReport& report, const Sample& sample, unsigned seed) {
  LatencySource source(seed, sample.typical_us);
  LatencyHistogram histogram;
  HtmlPanel panel = MakeHtmlPanel(sample.name, SampleTrace());
  panel.latency_title = "Write latency";
  panel.begin = -milliseconds(500);
  panel.end = kLength + milliseconds(400);
  panel.pause = sample.pause;
  panel.marks = {{kLength, "done"}};
  HtmlHeatMapBuilder heat(panel.begin);
  LatencySource before(seed + 100, 0.6);
  for (Duration at = panel.begin; at < panel.end; at += Microseconds(250)) {
    const bool saving = at >= Duration(0) && at < kLength;
    Duration latency = saving ? source.Next() : before.Next();
    if (saving && InStall(at)) latency += sample.stall;
    heat.Add(at, latency);
    if (saving) histogram.Record(latency);
  }
  panel.latency = heat.map();
  if (sample.name == "none") panel.timeline = {};
  if (sample.name != "none") panel.memory = SampleMemory(seed);
  HtmlMethod method{.name = sample.name};
  method.p50 = histogram.Quantile(0.5);
  method.p99 = histogram.Quantile(0.99);
  method.p999 = histogram.Quantile(0.999);
  method.max = histogram.max();
  method.over_5ms = histogram.CountAbove(milliseconds(5));
  method.throughput_kept = sample.name == "none" ? 1 : 1 / (1 + sample.typical_us / 40);
  if (sample.name != "none") {
    method.pause = sample.pause;
    method.worst_gap = sample.pause + Microseconds(130);
    method.lost = Pages{seed % 3};
    method.total = kLength;
    method.extra_memory = MiB(4 + 24 * seed);
  }
  report.methods.push_back(std::move(method));
  report.curves.push_back(MakeHtmlCurve(sample.name, histogram));
  report.panels.push_back(std::move(panel));
}

}  // namespace

SaveTrace SampleTrace() {
  SaveTrace trace;
  trace.stage_size = MiB(64);
  trace.max_bandwidth = MiB(400);
  trace.length = kLength;
  LatencySource source(7, 24);
  for (int i = 0; i < 4000; ++i) {
    const Duration at = kLength * i / 4000;
    trace.faults.push_back(
        {at, source.Next() + (InStall(at) ? milliseconds(9) : milliseconds(0)), {}, true});
  }
  Duration held_until{0};
  double stage = 0;
  uint64_t sent = 0;
  for (Duration at{0}; at < kLength; at += milliseconds(2)) {
    if (InStall(at)) held_until = at + milliseconds(180);
    TracedLook look;
    look.at = at;
    look.held = at < held_until && !InStall(at);
    look.no_room = InStall(at) && stage > 50;
    stage += InStall(at) ? 1.9 : look.held ? -1.5 : 0.4;
    stage = std::clamp(stage, 0.0, 62.0);
    look.stage_used = KiB(static_cast<uint64_t>(stage * 1024));
    sent += InStall(at) ? 0 : look.held ? 400'000 : 780'000;
    look.sent = Bytes{sent};
    trace.looks.push_back(look);
  }
  return trace;
}

HtmlReport SampleReport() {
  HtmlReport report;
  report.title = "Sample: what a save costs";
  report.lead = "Made-up figures, to look at the page with.";
  report.facts = {{"Machine", "2 vCPU, 8 GiB, Linux 6.18"},
                  {"Date", "2026-01-02 03:04:05 UTC"},
                  {"Command",
                   "stillframe bench --workload uniform --memory 2G --threads 2 --rate 2000 "
                   "--output stall:50ms/250ms --method none,skip,ramp,off,fork,stop --runs 5"},
                  {"Writes", "2,000 a second over 2 GiB by 2 threads"}};
  const Sample samples[] = {
      {"none", 0.6, milliseconds(0), milliseconds(0)},
      {"skip", 22, milliseconds(1), milliseconds(24)},
      {"ramp", 26, milliseconds(3), milliseconds(25)},
      {"adaptive", 20, milliseconds(1), milliseconds(26)},
      {"off", 48, milliseconds(30), milliseconds(24)},
      {"fork", 3, milliseconds(0), milliseconds(61)},
      {"stop", 0.7, milliseconds(2800), milliseconds(2800)},
  };
  unsigned seed = 1;
  for (const Sample& sample : samples) AddMethod(report, sample, seed++);
  report.methods.back().note = "the target stands still for the whole of the save";
  report.notes = {"Each method ran 5 times, in turn with the others; the figures are medians."};
  return report;
}

}  // namespace stillframe::test
