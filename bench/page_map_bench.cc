// What it costs to ask which pages a process has: of many small mappings, of mappings that lie far
// apart, of a large range with little in it.
//
// Each way takes its turn in each round; only ratios of medians within one run are a result. "read
// each" is what a plain tool does: one pread of /proc/PID/pagemap per mapping. "scan each": one
// PAGEMAP_SCAN per mapping. The rest is PageMapScanner over the list of all mappings, by either of
// its ways, told or not that there is nothing between them. All ways must find the same pages.
//
// With --gaps 1: what one call over two mappings costs against one each, by the gap between them;
// from this come the gaps that PageMapScanner bridges.
//
// 2026-11-22, 2 CPUs of a shared AMD EPYC virtual machine, Linux 6.18, release build, nobody else
// at work but from 100,000 on: page_map_bench
//
//   us; "apart": 16 MiB          read each   scan each   windows        ioctl          quicker
//                                                        any   nothing  any   nothing  than read
//   1,024 x 40 KiB dense              1481        1317   647       615  400       392       3.78
//   1,024 x 40 KiB apart              1655        1346  1690      1631 1404       461       3.59
//
//   ms
//   100,000 x 40 KiB dense             171         171    92        89   54        55       3.09
//   100,000 x 40 KiB apart             356         255   351       362  308       119       2.98
//   16 GiB, 200 MiB used                57          22    53        55   23        24       2.32
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "page_map_child.h"
#include "support/machine.h"
#include "support/options.h"
#include "support/statistics.h"
#include "sys/kernel_constants.h"
#include "sys/page_map_scanner.h"

namespace stillframe::bench {
namespace {

using Between = PageMapScanner::Between;
using Ranges = std::vector<AddressRange>;

constexpr double kAim = 2;
constexpr Bytes kSmall = KiB(40);
constexpr Bytes kReserved = GiB(16);
constexpr Bytes kUsed = MiB(200);
constexpr size_t kMostRegions = 512;

struct Way {
  const char* name;
  // Asks about all ranges; how many pages there are.
  std::function<Pages(int pagemap, const Ranges& ranges)> ask;
  std::vector<double> microseconds = {};
};

Pages ReadEach(int pagemap, const Ranges& ranges) {
  static std::array<PagemapEntry, 1 << 16> entries;
  Pages pages;
  for (const AddressRange range : ranges) {
    for (TargetAddress at = range.begin; at < range.end;) {
      const uint64_t left = AddressRange{at, range.end}.pages().count;
      const size_t known =
          ReadPagemap(pagemap, at, std::span(entries).first(std::min(left, entries.size())));
      if (known == 0) Die("reading the page map");
      const auto there = std::span(entries).first(known);
      pages.count += static_cast<uint64_t>(std::ranges::count_if(there, &PagemapEntry::populated));
      at = at + ToBytes(Pages{known});
    }
  }
  return pages;
}

Pages ScanEach(int pagemap, const Ranges& ranges) {
  static std::array<PageRegion, kMostRegions> regions;
  Pages pages;
  for (const AddressRange range : ranges) {
    for (uint64_t at = range.begin.value; at < range.end.value;) {
      PmScanArg arg{};
      arg.size = sizeof(arg);
      arg.start = at;
      arg.end = range.end.value;
      arg.vec = reinterpret_cast<uint64_t>(regions.data());
      arg.vec_len = std::min<uint64_t>(regions.size(), ToPages(Bytes{arg.end - at}).count);
      arg.category_anyof_mask = kPageIsPresent | kPageIsSwapped;
      arg.return_mask = kPageIsPresent;
      const int n = ioctl(pagemap, kPagemapScan, &arg);
      if (n < 0) Die("PAGEMAP_SCAN");
      for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
        pages += ToPages(Bytes{regions[i].end - regions[i].start});
      }
      const auto found = static_cast<size_t>(n);
      at = found == arg.vec_len ? regions[found - 1].end : arg.end;
    }
  }
  return pages;
}

Way ListWay(const char* name, bool windows, Between between) {
  return {name, [windows, between](int pagemap, const Ranges& ranges) {
            PageMapScanner scanner(pagemap, {});
            if (windows) scanner.ForceWindows();
            Pages pages;
            OrDie("scanning", scanner.Scan(ranges, between, [&pages](const FoundPages& found) {
              pages += found.range.pages();
            }));
            return pages;
          }};
}

std::vector<Way> AllWays(bool has_ioctl) {
  std::vector<Way> ways = {{"read each", ReadEach}};
  if (has_ioctl) ways.push_back({"scan each", ScanEach});
  ways.push_back(ListWay("windows", true, Between::kAnything));
  ways.push_back(ListWay("windows, nothing between", true, Between::kNothing));
  if (has_ioctl) {
    ways.push_back(ListWay("ioctl", false, Between::kAnything));
    ways.push_back(ListWay("ioctl, nothing between", false, Between::kNothing));
  }
  return ways;
}

void Measure(const PageMapChild& child, int rounds, std::vector<Way>* ways) {
  for (int round = 0; round < rounds; ++round) {
    for (Way& way : *ways) {
      const TimePoint begin = MonotonicClock().Now();
      const Pages pages = way.ask(child.pagemap(), child.mappings());
      way.microseconds.push_back(Seconds(MonotonicClock().Now() - begin) * 1e6);
      if (pages == child.pages()) continue;
      std::fprintf(stderr, "%s: found %zu of %zu pages\n", way.name,
                   static_cast<size_t>(pages.count), static_cast<size_t>(child.pages().count));
      std::exit(1);
    }
  }
}

bool HasIoctl(int pagemap) { return PageMapScanner(pagemap, {}).uses_scan_ioctl(); }

// How many times quicker than a read each the last way is.
double Print(const std::string& what, const std::vector<Way>& ways) {
  const double plain = Median(ways[0].microseconds);
  for (const Way& way : ways) {
    const double median = Median(way.microseconds);
    std::printf("%-22s %-25s %9.0f %9.0f %9.0f %8.2f\n", what.c_str(), way.name,
                Lowest(way.microseconds), median, Highest(way.microseconds), plain / median);
  }
  std::fflush(stdout);
  return plain / Median(ways.back().microseconds);
}

double MeasureLayout(const std::string& what, const MappingLayout& layout, int rounds) {
  const PageMapChild child(layout);
  std::vector<Way> ways = AllWays(HasIoctl(child.pagemap()));
  Measure(child, rounds, &ways);
  return Print(what, ways);
}

bool MeasureAll(uint64_t most, Bytes apart, int rounds) {
  std::printf("us of %d rounds\n%-22s %-25s %9s %9s %9s %8s\n", rounds, "memory", "way", "lowest",
              "median", "highest", "quicker");
  const uint64_t kFew = 1024;
  bool met = true;
  for (const uint64_t mappings : {kFew, most}) {
    for (const Bytes gap : {Bytes{0}, apart}) {
      const std::string what =
          std::to_string(mappings) + (gap.count == 0 ? " x 40 KiB dense" : " x 40 KiB apart");
      const double quicker =
          MeasureLayout(what, {.mappings = mappings, .each = kSmall, .gap = gap}, rounds);
      if (mappings == kFew) met = met && quicker >= kAim;
    }
  }
  MeasureLayout("16 GiB, 200 MiB used", {.each = kReserved, .step = kReserved.count / kUsed.count},
                rounds);
  std::printf("aim: the list at least %.1f times quicker than a read each, 1024 mappings: %s\n",
              kAim, met ? "met" : "MISSED");
  return met;
}

// All of it in one call after the other, gaps included.
Ranges Span(const Ranges& ranges) { return {{ranges.front().begin, ranges.back().end}}; }

double MicrosecondsEach(int rounds, uint64_t mappings, const std::function<void()>& ask) {
  std::vector<double> all;
  for (int round = 0; round < rounds; ++round) {
    const TimePoint begin = MonotonicClock().Now();
    ask();
    all.push_back(Seconds(MonotonicClock().Now() - begin) * 1e6 / static_cast<double>(mappings));
  }
  return Median(all);
}

void MeasureGaps(int rounds) {
  std::printf("us per mapping of 40 KiB, median of %d rounds\n%8s %-9s %10s %13s %10s %13s\n",
              rounds, "gap, KiB", "holds", "read each", "read through", "scan each",
              "scan through");
  const uint64_t kMappings = 512;
  for (const bool filled : {false, true}) {
    for (const uint64_t gap : {16u, 32u, 48u, 64u, 96u, 128u, 256u, 384u, 512u, 768u, 1024u}) {
      const PageMapChild child(
          {.mappings = kMappings, .each = kSmall, .gap = KiB(gap), .filled_gaps = filled});
      const int map = child.pagemap();
      const bool has_ioctl = HasIoctl(map);
      const auto time = [&](Pages (*ask)(int, const Ranges&), const Ranges& ranges) {
        return MicrosecondsEach(rounds, kMappings, [&] { ask(map, ranges); });
      };
      std::printf("%8zu %-9s %10.2f %13.2f", static_cast<size_t>(gap), filled ? "pages" : "nothing",
                  time(ReadEach, child.mappings()), time(ReadEach, Span(child.mappings())));
      if (has_ioctl) {
        std::printf(" %10.2f %13.2f", time(ScanEach, child.mappings()),
                    time(ScanEach, Span(child.mappings())));
      }
      std::printf("\n");
      std::fflush(stdout);
    }
  }
}

int Main(int argc, char** argv) {
  int rounds = 15;
  int mappings = 100'000;
  int apart = 16;
  int gaps = 0;
  ParseOptions(argc, argv,
               "- which pages are there: one question for all mappings against one each",
               {{"rounds", &rounds, 1, "How often each way takes its turn (15)"},
                {"mappings", &mappings, 1, "How many mappings there are at most (100000)"},
                {"apart", &apart, 1, "MiB between two mappings that lie apart (16)"},
                {"gaps", &gaps, 0, "1: measure which gaps to bridge instead (0)"}});
  PrintHeading(argc, argv);
  if (gaps != 0) {
    MeasureGaps(rounds);
    return 0;
  }
  const auto most = static_cast<uint64_t>(mappings);
  return MeasureAll(most, MiB(static_cast<uint64_t>(apart)), rounds) ? 0 : 1;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) { return stillframe::bench::Main(argc, argv); }
