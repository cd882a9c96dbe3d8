#include <gtest/gtest.h>

#include "report/error_report.h"
#include "report/progress_report.h"
#include "report/summary_report.h"

namespace stillframe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

SaveSummary MakeSummary() {
  SaveSummary summary;
  summary.pid = 4711;
  summary.attach = microseconds(180);
  summary.pause = microseconds(950);
  summary.paused = {.stop = microseconds(101),
                    .arm = microseconds(102),
                    .copy = microseconds(103),
                    .resume = microseconds(104),
                    .limit_met = false};
  summary.prearm = {.rounds = 18,
                    .duration = milliseconds(19),
                    .logged = {20},
                    .slowed = microseconds(21),
                    .stopped = microseconds(22)};
  summary.tracker = TrackerWait::kSpin;
  summary.at_instant = milliseconds(3);
  summary.duration = milliseconds(2345);
  summary.memory = GiB(1);
  summary.image = MiB(700);
  summary.total = Pages{262'144};
  summary.pages = {.zero = {1},
                   .scanned = {2},
                   .faulted = {3},
                   .paused = {4},
                   .lost = {5},
                   .in_parent = {},
                   .written = {6},
                   .encoded_from = {2000},
                   .encoded_to = {999}};
  summary.wait = {.count = 7, .p50 = 8, .p99 = 9, .p999 = 10, .max = 11};
  summary.policy = "skip";
  summary.throttle = {.triggers = 12, .polls = 13, .forced = 14};
  summary.stage_size = MiB(64);
  summary.stage_peak = MiB(3);
  summary.stage_full = 15;
  summary.stage_spilled = MiB(5);
  summary.rounds = {.count = 17, .copied = MiB(3)};
  summary.unmaps = 16;
  summary.skipped = {{{{0x1000}, {0x3000}}, "io"}};
  summary.lost = {{{{0x7fff'ffff'f000}, {0x8000'0000'0000}}, "unmapped"}};
  return summary;
}

TEST(SummaryJson, HasEachFieldOfSchemaOneAndNothingElse) {
  const Json expected = Json::parse(R"({
    "schema": 1, "verb": "save", "pid": 4711, "image": "out.sfi", "format": "image", "via": "wp",
    "attach_us": 180, "pause_us": 950,
    "pause": {"total_us": 950, "stop_us": 101, "arm_us": 102, "copy_us": 103, "resume_us": 104,
              "limit_met": false},
    "prearm": {"rounds": 18, "duration_ms": 19, "logged_pages": 20, "slowed_us": 21,
               "stopped_us": 22},
    "instant": "now", "tracker": "spin", "exec_us": 3000, "duration_ms": 2345,
    "memory_bytes": 1073741824, "image_bytes": 734003200,
    "compression": {"codec": "none", "raw_bytes": 2000, "stored_bytes": 999},
    "pages": {"total": 262144, "zero": 1, "scanned": 2, "faulted": 3, "paused": 4, "lost": 5,
              "in_parent": 0},
    "wait_us": {"count": 7, "p50": 8, "p99": 9, "p999": 10, "max": 11},
    "throttle": {"policy": "skip", "triggers": 12, "polls": 13, "forced": 14},
    "stage": {"bytes": 67108864, "peak_bytes": 3145728, "full": 15,
              "spilled_bytes": 5242880},
    "rounds": {"count": 17, "copied_bytes": 3145728},
    "unmaps": 16,
    "skipped": [{"begin": "0x1000", "end": "0x3000", "reason": "io"}],
    "lost": [{"begin": "0x7ffffffff000", "end": "0x800000000000", "reason": "unmapped"}]
  })");
  EXPECT_EQ(SummaryToJson(MakeSummary(), "out.sfi"), expected);
}

TEST(SummaryJson, ListsAreThereWhenTheyAreEmpty) {
  const Json json = SummaryToJson(SaveSummary{}, "-");
  EXPECT_EQ(json["skipped"], Json::array());
  EXPECT_EQ(json["lost"], Json::array());
}

TEST(SummaryJson, NamesThatAreNoUtf8StillMakeOneLine) {
  const std::string line = DumpJson(SummaryToJson(SaveSummary{}, "a\xff\nb"));
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(Json::parse(line)["image"], "a\xef\xbf\xbd\nb");
}

TEST(SummaryText, SaysPauseWaitsThrottleAndSizes) {
  EXPECT_EQ(SummaryToText(MakeSummary(), "out.sfi", false),
            "saved process 4711 to out.sfi via wp in 2.35 s\n"
            "  pause     950 us, over its limit, and 3.00 ms for --exec-paused (attaching: 180 us, "
            "registering: 22 us)\n"
            "  waits     7 writes: p50 8 us, p99 9 us, p99.9 10 us, max 11 us\n"
            "  throttle  skip: 12 slow faults, 13 polls, 14 forced runs\n"
            "  rounds    17, 3.00 MiB copied while it ran\n"
            "  pages     262,144: 1 zero, 2 scanned, 3 faulted, 4 paused, 5 lost\n"
            "  sizes     memory 1.00 GiB, image 700 MiB, stage peak 3.00 MiB of 64.0 MiB, full 15 "
            "times, spilled 5.00 MiB\n"
            "  lost      20.0 KiB in 1 ranges\n"
            "    0x7ffffffff000-0x800000000000  4.00 KiB  unmapped\n"
            "  skipped   8.00 KiB in 1 mappings\n");
}

TEST(SummaryText, TellsOfCompressionWhereThereIsAny) {
  SaveSummary summary = MakeSummary();
  const auto text = [&summary](std::string_view codec) {
    return SummaryToText(summary, "x", false, SaveFormat::kImage, codec);
  };
  EXPECT_NE(text("lz4").find("\n  lz4       1.95 KiB stored as 999 B, 49.9%\n"), std::string::npos)
      << text("lz4");
  EXPECT_NE(text("zstd").find("\n  zstd      1.95 KiB"), std::string::npos) << text("zstd");
  EXPECT_EQ(text("none").find("stored as"), std::string::npos);
  EXPECT_EQ(SummaryToJson(summary, "x", SaveFormat::kImage, "zstd")["compression"]["codec"],
            "zstd");
  summary.pages.encoded_from = summary.pages.encoded_to = {};  // all of it zero, or in the parent
  EXPECT_EQ(text("lz4").find("stored as"), std::string::npos);
}

TEST(SummaryText, TellsOfPagesInTheParentWhereThereAreAny) {
  SaveSummary summary = MakeSummary();
  EXPECT_EQ(SummaryToText(summary, "x", false).find("parent"), std::string::npos);
  summary.pages.in_parent = {12345};
  EXPECT_NE(SummaryToText(summary, "x", false).find("5 lost, 12,345 in the parent\n"),
            std::string::npos);
  EXPECT_EQ(SummaryToJson(summary, "x")["pages"]["in_parent"], 12345);
}

TEST(SummaryJson, OfACoreSaysSo) {
  const Json json = SummaryToJson(MakeSummary(), "core.4711", SaveFormat::kCore);
  EXPECT_EQ(json["verb"], "core");
  EXPECT_EQ(json["format"], "core");
  EXPECT_EQ(json["image"], "core.4711");
  Json rest = json;
  Json image = SummaryToJson(MakeSummary(), "core.4711");
  EXPECT_EQ(image.erase("compression"), 1u);  // a core has none
  for (const char* field : {"verb", "format"}) {
    rest.erase(field);
    image.erase(field);
  }
  EXPECT_EQ(rest, image);
}

TEST(SummaryText, OfACoreSaysSo) {
  const std::string text = SummaryToText(MakeSummary(), "core.4711", false, SaveFormat::kCore);
  EXPECT_EQ(text.find("saved process 4711 to core.4711 via wp in "), 0u) << text;
  EXPECT_NE(text.find("memory 1.00 GiB, core 700 MiB"), std::string::npos) << text;
  EXPECT_EQ(text.find("image"), std::string::npos) << text;
}

TEST(SummaryText, ALateInstantIsNamed) {
  SaveSummary summary = MakeSummary();
  summary.instant = Instant::kLate;
  EXPECT_NE(SummaryToText(summary, "out.sfi", false).find(" via wp late in "), std::string::npos);
  EXPECT_EQ(SummaryToJson(summary, "out.sfi")["instant"], "late");
}

TEST(SummaryText, LongListsAreCutUnlessAllIsWanted) {
  SaveSummary summary = MakeSummary();
  summary.lost.assign(8, {{{0x1000}, {0x2000}}, "ksm"});
  EXPECT_NE(SummaryToText(summary, "x", false).find("and 3 more"), std::string::npos);
  EXPECT_EQ(SummaryToText(summary, "x", true).find("more"), std::string::npos);
}

TEST(SummaryText, OfAnotherWayNeitherWaitsNorThrottleNorStageAreToldOf) {
  SaveSummary summary = MakeSummary();
  summary.via = Via::kStop;
  summary.stage_size = Bytes{0};
  const std::string text = SummaryToText(summary, "x", true);
  EXPECT_EQ(text.find("saved process 4711 to x via stop in "), 0u) << text;
  for (const char* word : {"waits", "throttle", "stage"}) {
    EXPECT_EQ(text.find(word), std::string::npos) << text;
  }
  EXPECT_EQ(SummaryToJson(summary, "x")["via"], "stop");
}

TEST(SkippedWarning, IsSilentUnlessMuchWasLeftOut) { EXPECT_EQ(SkippedWarning(MakeSummary()), ""); }

TEST(SkippedWarning, NamesTheLargestMappingsFirst) {
  SaveSummary summary = MakeSummary();
  summary.skipped_much = true;
  summary.skipped = {{{{0x1000}, {0x2000}}, "io"}, {{{0x10000}, {0x110000}}, "dontdump"}};
  const std::string text = SkippedWarning(summary);
  EXPECT_NE(text.find("(dontdump: 1.00 MiB, io: 4.00 KiB)"), std::string::npos) << text;
  EXPECT_LT(text.find("0x10000-0x110000"), text.find("0x1000-0x2000")) << text;
  EXPECT_NE(text.find("--include-dontdump"), std::string::npos) << text;
  EXPECT_NE(text.find(" is not in the image ("), std::string::npos) << text;
  EXPECT_NE(SkippedWarning(summary, SaveFormat::kCore).find(" is not in the core ("),
            std::string::npos);
}

TEST(ErrorReport, JsonHasCodeMessageAndHint) {
  const Error error{.code = ErrorCode::kTargetGone,
                    .message = "process 7 is gone",
                    .hint = "",
                    .system_errno = 3,
                    .address = TargetAddress{0x1000}};
  EXPECT_EQ(ErrorToJson("save", error), Json::parse(R"({"schema": 1, "verb": "save", "error": {
    "code": "target-gone", "message": "process 7 is gone", "hint": "", "errno": 3, "address": "0x1000"}})"));
}

TEST(ErrorReport, TextHasTheHintOnALineOfItsOwn) {
  EXPECT_EQ(ErrorToText({.code = ErrorCode::kUsage, .message = "no\nsuch", .hint = "try"}),
            "stillframe: no\\x0asuch\n  hint: try\n");
  EXPECT_EQ(ErrorToText({.code = ErrorCode::kUsage, .message = "no", .hint = ""}),
            "stillframe: no\n");
}

TEST(ProgressReport, NeverSaysAHundredPercentBeforeTheEnd) {
  SaveProgress progress;
  progress.phase = SavePhase::kSaving;
  progress.total = Pages{10};
  progress.done = Pages{12};
  EXPECT_NE(ProgressToBar(progress).find(" 99% ["), std::string::npos) << ProgressToBar(progress);
  progress.phase = SavePhase::kDone;
  EXPECT_NE(ProgressToBar(progress).find("100% [####################]"), std::string::npos);
  EXPECT_NE(ProgressToBar({}).find("   0% [                    ]"), std::string::npos);
}

TEST(ProgressReport, JsonHasEachField) {
  const SaveProgress progress{.phase = SavePhase::kFinishing,
                              .total = {10},
                              .done = {5},
                              .written = {4096},
                              .faults = 3,
                              .stage_used = {8192},
                              .holding_back = true,
                              .elapsed = milliseconds(1500)};
  EXPECT_EQ(ProgressToJson("save", progress),
            Json::parse(R"({"schema": 1, "verb": "save", "progress": {"phase": "finishing",
                "total_pages": 10, "done_pages": 5, "written_bytes": 4096, "faults": 3,
                "stage_bytes": 8192, "holding_back": true, "elapsed_ms": 1500}})"));
}

}  // namespace
}  // namespace stillframe
