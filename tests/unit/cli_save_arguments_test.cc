#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>
#include <tuple>

#include "cli/exit_code.h"
#include "cli/save_arguments.h"

namespace stillframe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

Result<SaveArguments> Parse(std::vector<std::string> arguments, bool terminal = false) {
  return ParseSaveArguments(arguments, terminal);
}

Result<SaveArguments> ParseCore(std::vector<std::string> arguments) {
  return ParseSaveArguments(arguments, false, SaveFormat::kCore);
}

// The long options that a verb's help lists.
std::set<std::string> OptionsOf(SaveFormat format) {
  const std::string help = ParseSaveArguments({"--help"}, false, format)->help;
  std::set<std::string> names;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) {
    // A description may name one as well.
    const size_t begin = line.find("--");
    if (!line.starts_with("  ") || begin > 6) continue;
    const size_t end = line.find_first_of("= ", begin);
    names.insert(line.substr(begin, end - begin));
  }
  return names;
}

TEST(SaveArguments, WithoutOptionsAreTheDocumentedDefaults) {
  const auto parsed = Parse({"42", "-o", "image"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->pid, 42);
  EXPECT_EQ(parsed->output().path, "image");
  EXPECT_FALSE(parsed->output().force);
  EXPECT_EQ(parsed->options.throttle.policy, "skip");
  EXPECT_EQ(parsed->options.throttle.fault_limit, Duration(milliseconds(5)));
  EXPECT_EQ(parsed->options.throttle.poll_time, Duration(milliseconds(5)));
  EXPECT_EQ(parsed->options.throttle.poll_count, 200u);
  EXPECT_EQ(parsed->options.max_bandwidth, Bytes{0});
  EXPECT_EQ(parsed->options.stage, MiB(64));
  EXPECT_EQ(parsed->options.max_stall, Duration(seconds(1)));
  EXPECT_EQ(parsed->options.on_lost, OnLost::kKeep);
  EXPECT_EQ(parsed->options.stop_timeout, Duration(milliseconds(100)));
  EXPECT_FALSE(parsed->options.filter);
  EXPECT_FALSE(parsed->exec_paused);
  EXPECT_EQ(parsed->exec_timeout, Duration(seconds(10)));
  EXPECT_EQ(parsed->progress, ProgressStyle::kNone);
}

TEST(SaveArguments, TheWayIsWriteProtectionUnlessAnotherIsNamed) {
  EXPECT_EQ(Parse({"42", "-o", "image"})->options.via, Via::kWriteProtect);
  EXPECT_EQ(Parse({"42", "-o", "image", "--via", "wp"})->options.via, Via::kWriteProtect);
  EXPECT_EQ(Parse({"42", "-o", "image", "--via", "fork"})->options.via, Via::kFork);
  EXPECT_EQ(Parse({"42", "-o", "image", "--via", "stop"})->options.via, Via::kStop);
  EXPECT_EQ(Parse({"42", "-o", "image", "--via", "precopy"})->options.via, Via::kPrecopy);
  EXPECT_EQ(Parse({"42", "-o", "image"})->options.instant, Instant::kNow);
  EXPECT_EQ(Parse({"42", "-o", "image", "--instant", "late"})->options.instant, Instant::kLate);
  const auto unknown = Parse({"42", "-o", "image", "--via", "magic"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kUsage);
}

TEST(SaveArguments, AFullStageSpillsUnlessSomethingElseIsWanted) {
  const SaveOptions plain = Parse({"42", "-o", "image"})->options;
  EXPECT_EQ(plain.on_full, OnFull::kSpill);
  EXPECT_EQ(plain.spill_dir, "");
  EXPECT_FALSE(plain.spill_limit);
  EXPECT_EQ(Parse({"42", "-o", "image", "--tracker", "spin"})->options.tracker, TrackerWait::kSpin);
  EXPECT_EQ(Parse({"42", "-o", "image", "--tracker", "block"})->options.tracker,
            TrackerWait::kBlock);
  EXPECT_FALSE(Parse({"42", "-o", "image", "--tracker", "sleep"}));
  EXPECT_EQ(Parse({"42", "-o", "image", "--on-full", "wait"})->options.on_full, OnFull::kWait);
  EXPECT_EQ(Parse({"42", "-o", "image", "--on-full", "abort"})->options.on_full, OnFull::kAbort);
  const auto all = Parse(
      {"42", "-o", "image", "--on-full", "spill", "--spill-dir", "a dir", "--spill-limit", "3G"});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->options.on_full, OnFull::kSpill);
  EXPECT_EQ(all->options.spill_dir, "a dir");
  EXPECT_EQ(all->options.spill_limit, GiB(3));
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--on-full", "cry"},
                                                {"--spill-limit", "1023K"},
                                                {"--spill-dir", ""}}) {
    const auto refused = Parse({"42", "-o", "image", wrong[0], wrong[1]});
    ASSERT_FALSE(refused) << wrong[0];
    EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
  }
}

TEST(SaveArguments, ADryRunNeedsNoOutput) {
  const auto parsed = Parse({"42", "--dry-run"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(parsed->dry_run);
  EXPECT_FALSE(Parse({"42"}));
}

TEST(SaveArguments, EachOptionArrives) {
  const auto parsed = Parse({"--throttle",
                             "off",
                             "--fault-limit=1ms",
                             "--poll-time",
                             "2ms",
                             "--poll-count",
                             "3",
                             "--max-bandwidth",
                             "200M",
                             "--stage",
                             "1M",
                             "--max-stall",
                             "500us",
                             "--on-lost",
                             "abort",
                             "--exec-paused",
                             "echo \xff",
                             "--exec-timeout",
                             "1s",
                             "--stop-timeout",
                             "50ms",
                             "--filter",
                             "0x7f",
                             "--include-dontdump",
                             "--force",
                             "--json",
                             "--progress",
                             "json",
                             "-q",
                             "-v",
                             "-o",
                             "a b",
                             "7"});
  ASSERT_FALSE(parsed) << "500us is below the least stall";
  EXPECT_NE(parsed.error().message.find("--max-stall \"500us\""), std::string::npos);

  const auto good = Parse({"--throttle",
                           "off",
                           "--fault-limit=1ms",
                           "--poll-time",
                           "2ms",
                           "--poll-count",
                           "3",
                           "--max-bandwidth",
                           "200M",
                           "--stage",
                           "1M",
                           "--max-stall",
                           "2ms",
                           "--on-lost",
                           "abort",
                           "--exec-paused",
                           "echo \xff",
                           "--exec-timeout",
                           "1s",
                           "--stop-timeout",
                           "50ms",
                           "--filter",
                           "0x7f",
                           "--include-dontdump",
                           "--force",
                           "--json",
                           "--progress",
                           "json",
                           "-q",
                           "-v",
                           "-o",
                           "a b",
                           "7"});
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->pid, 7);
  EXPECT_EQ(good->output().path, "a b");
  EXPECT_TRUE(good->output().force);
  EXPECT_EQ(good->options.throttle.policy, "off");
  EXPECT_EQ(good->options.throttle.fault_limit, Duration(milliseconds(1)));
  EXPECT_EQ(good->options.throttle.poll_time, Duration(milliseconds(2)));
  EXPECT_EQ(good->options.throttle.poll_count, 3u);
  EXPECT_EQ(good->options.max_bandwidth, MiB(200));
  EXPECT_EQ(good->options.stage, MiB(1));
  EXPECT_EQ(good->options.max_stall, Duration(milliseconds(2)));
  EXPECT_EQ(good->options.on_lost, OnLost::kAbort);
  EXPECT_EQ(good->exec_paused, "echo \xff");
  EXPECT_EQ(good->exec_timeout, Duration(seconds(1)));
  EXPECT_EQ(good->options.stop_timeout, Duration(milliseconds(50)));
  EXPECT_EQ(good->options.filter, 0x7fu);
  EXPECT_TRUE(good->options.include_dontdump);
  EXPECT_EQ(good->progress, ProgressStyle::kJson);
  EXPECT_TRUE(good->quiet && good->verbose && good->json);
}

TEST(SaveArguments, WhatIsWrongIsNamed) {
  const struct {
    std::vector<std::string> arguments;
    const char* in_message;
  } cases[] = {
      {{"-o", "x"}, "expected PID -o IMAGE"},
      {{"1", "2", "-o", "x"}, "got 2 arguments"},
      {{"12"}, "no output"},
      {{"12", "-o", ""}, "no output"},
      {{"12x", "-o", "x"}, "PID \"12x\""},
      {{"12", "-o"}, "-o"},
      {{"12", "-o", "x", "--nonsense"}, "--nonsense"},
      {{"12", "-o", "x", "--fault-limit", "5"}, "us, ms or s"},
      {{"12", "-o", "x", "--stage", "512K"}, "from 1M to 64G"},
      {{"12", "-o", "x", "--stage", "65G"}, "from 1M to 64G"},
      {{"12", "-o", "x", "--max-bandwidth", "63K"}, "from 64K"},
      {{"12", "-o", "x", "--throttle", "never"}, "one of skip "},
      {{"12", "-o", "x", "--via", "magic"}, "one of wp fork stop"},
      {{"12", "-o", "x", "--instant", "later"}, "one of now late"},
      {{"12", "-o", "x", "--instant", "late", "--via", "fork"}, "--instant late"},
      {{"12", "-o", "x", "--on-lost", "ignore"}, "one of keep abort"},
      {{"12", "-o", "x", "--progress", "loud"}, "one of auto bar json none"},
      {{"12", "-o", "x", "--filter", "zz"}, "--filter \"zz\""},
      {{"12", "-o", "x", "--poll-count", "0"}, "--poll-count \"0\""},
      {{"12", "-o", "x", "--exec-timeout", "0ms"}, "--exec-timeout \"0ms\""},
  };
  for (const auto& one : cases) {
    const auto parsed = Parse(one.arguments);
    ASSERT_FALSE(parsed) << one.in_message;
    EXPECT_EQ(ExitCodeOf(parsed.error().code), 2);
    EXPECT_NE(parsed.error().message.find(one.in_message), std::string::npos)
        << parsed.error().message;
  }
}

TEST(SaveArguments, ProgressIsABarOnATerminalOnly) {
  EXPECT_EQ(Parse({"1", "-o", "x"}, true)->progress, ProgressStyle::kBar);
  EXPECT_EQ(Parse({"1", "-o", "x"}, false)->progress, ProgressStyle::kNone);
  EXPECT_EQ(Parse({"1", "-o", "x", "-q"}, true)->progress, ProgressStyle::kNone);
  EXPECT_EQ(Parse({"1", "-o", "x", "--progress", "none"}, true)->progress, ProgressStyle::kNone);
  EXPECT_EQ(Parse({"1", "-o", "x", "--progress", "bar"}, false)->progress, ProgressStyle::kBar);
}

TEST(SaveArguments, HelpWinsOverAllElse) {
  const auto parsed = Parse({"--nonsense", "--help"});
  ASSERT_TRUE(parsed);
  for (const char* option :
       {"--output", "--throttle", "--fault-limit", "--poll-time", "--poll-count", "--max-bandwidth",
        "--stage", "--max-stall", "--on-lost", "--exec-paused", "--exec-timeout", "--stop-timeout",
        "--filter", "--include-dontdump", "--force", "--json", "--progress", "--quiet",
        "--verbose"}) {
    EXPECT_NE(parsed->help.find(option), std::string::npos) << option;
  }
}

TEST(ExitCodes, AreThoseOfTheReadme) {
  EXPECT_EQ(ExitCodeOf(ErrorCode::kInternal), 1);
  EXPECT_EQ(ExitCodeOf(ErrorCode::kUsage), 2);
  EXPECT_EQ(ExitCodeOf(ErrorCode::kLimit), 3);
  EXPECT_EQ(ExitCodeOf(ErrorCode::kTargetGone), 4);
  EXPECT_EQ(ExitCodeOf(ErrorCode::kPermission), 5);
  EXPECT_EQ(ExitCodeOf(ErrorCode::kUnsupported), 6);
  EXPECT_EQ(ExitCodeOf(ErrorCode::kDamaged), 7);
  EXPECT_EQ(ExitCodeOf(ErrorCode::kOutput), 8);
  EXPECT_EQ(kExitPagesLost, 9);
  EXPECT_EQ(ExitCodeOf(ErrorCode::kInterrupted, 2), 130);
  EXPECT_EQ(ExitCodeOf(ErrorCode::kInterrupted, 15), 143);
}

TEST(SaveArguments, TheLimitOfThePauseAndWhatALongerOneDoes) {
  const auto plain = Parse({"42", "-o", "image"})->options;
  EXPECT_EQ(plain.pause_limit, Duration(milliseconds(1)));
  EXPECT_EQ(plain.over_pause_limit, OverPauseLimit::kKeep);
  const auto all =
      Parse({"42", "-o", "image", "--pause-limit", "250us", "--over-pause-limit", "abort"});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->options.pause_limit, Duration(std::chrono::microseconds(250)));
  EXPECT_EQ(all->options.over_pause_limit, OverPauseLimit::kAbort);
  EXPECT_FALSE(Parse({"42", "-o", "image", "--pause-limit", "9us"}));
  EXPECT_FALSE(Parse({"42", "-o", "image", "--over-pause-limit", "shrug"}));
}

TEST(ImageArguments, WithoutOptionsItIsCompressedFastAndStandsAlone) {
  const auto parsed = Parse({"42", "-o", "image"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->image.compression, (Compression{Codec::kLz4, 8}));
  EXPECT_EQ(parsed->image.parent, "");
  EXPECT_EQ(parsed->image.compare, Compare::kHash);
  EXPECT_FALSE(parsed->image.any_process);
  EXPECT_TRUE(parsed->image.hashes);
  EXPECT_EQ(parsed->image.threads, DefaultTaskThreads());
}

TEST(ImageArguments, EachOptionArrives) {
  const auto parsed =
      Parse({"42", "-o", "image", "--compress", "zstd:-3", "--parent", "a b", "--compare", "bytes",
             "--any-process", "--no-hashes", "--compress-threads", "7"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->image.compression, (Compression{Codec::kZstd, -3}));
  EXPECT_EQ(parsed->image.parent, "a b");
  EXPECT_EQ(parsed->image.compare, Compare::kBytes);
  EXPECT_TRUE(parsed->image.any_process);
  EXPECT_FALSE(parsed->image.hashes);
  EXPECT_EQ(parsed->image.threads, 7u);
}

TEST(ImageArguments, ACodecMayHaveALevel) {
  const auto parse = [](const char* text) { return ParseCompression("--compress", text); };
  EXPECT_EQ(*parse("none"), Compression{});
  EXPECT_EQ(*parse("lz4"), ImageArguments::kLz4);
  EXPECT_EQ(*parse("lz4:1"), (Compression{Codec::kLz4, 1}));
  EXPECT_EQ(*parse("lz4:65537"), (Compression{Codec::kLz4, 65537}));
  EXPECT_EQ(*parse("zstd"), ImageArguments::kZstd);
  EXPECT_EQ(*parse("zstd:-7"), (Compression{Codec::kZstd, -7}));
  EXPECT_EQ(*parse("zstd:19"), (Compression{Codec::kZstd, 19}));
  for (const char* wrong :
       {"", "gzip", "LZ4", "none:1", "none:", "lz4:", "lz4:0", "lz4:-1", "lz4:65538", "lz4:1x",
        "lz4: 1", "lz4:99999999999", "zstd:0", "zstd:-8", "zstd:20", "zstd:+1", "zstd:1:2"}) {
    const auto refused = parse(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
    EXPECT_NE(refused.error().message.find("--compress \"" + std::string(wrong) + "\""),
              std::string::npos)
        << refused.error().message;
  }
}

TEST(ImageArguments, WhatIsWrongIsNamed) {
  const struct {
    std::vector<std::string> options;
    const char* in_message;
  } cases[] = {
      {{"--compress", "best"}, "give none, lz4 or"},
      {{"--compress-threads", "0"}, "--compress-threads \"0\""},
      {{"--compress-threads", "257"}, "from 1 to 256"},
      {{"--parent", ""}, "--parent names no image"},
      {{"--parent", "x", "--compare", "looks"}, "one of hash bytes"},
      {{"--compare", "bytes"}, "--compare tells how a parent is used"},
      {{"--any-process"}, "--any-process tells how a parent is used"},
  };
  for (const auto& one : cases) {
    std::vector<std::string> arguments = {"12", "-o", "x"};
    arguments.insert(arguments.end(), one.options.begin(), one.options.end());
    const auto parsed = Parse(arguments);
    ASSERT_FALSE(parsed) << one.in_message;
    EXPECT_EQ(ExitCodeOf(parsed.error().code), 2);
    EXPECT_NE(parsed.error().message.find(one.in_message), std::string::npos)
        << parsed.error().message;
  }
}

// What an image is opened with: the parent is looked for before any thread is started.
TEST(ImageArguments, AParentThatIsNotThereEndsItAll) {
  const auto options = OpenImageOptions({.parent = "/nowhere/image"});
  ASSERT_FALSE(options);
  EXPECT_NE(options.error().message.find("/nowhere/image"), std::string::npos);
}

TEST(ImageArguments, ThreadsAreStartedWhereThereIsWorkForThem) {
  const auto plain = OpenImageOptions({.compression = {}});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->workers, nullptr);
  const auto compressed = OpenImageOptions({.threads = 3});
  ASSERT_TRUE(compressed);
  ASSERT_NE(compressed->workers, nullptr);
  EXPECT_EQ(compressed->workers->threads(), 3u);
  EXPECT_EQ(compressed->compression, ImageArguments::kLz4);
  EXPECT_TRUE(compressed->hashes);
}

// The options that only an image has.
const std::set<std::string> kOfImage = {"--compress", "--compress-threads", "--parent",
                                        "--compare",  "--any-process",      "--no-hashes"};

TEST(CoreArguments, WhatOnlyAnImageHasIsRefused) {
  for (const std::string& option : kOfImage) {
    const auto parsed = ParseCore({"12", option, "1"});
    ASSERT_FALSE(parsed) << option;
    EXPECT_EQ(parsed.error().code, ErrorCode::kUsage);
    EXPECT_NE(parsed.error().message.find(option), std::string::npos) << parsed.error().message;
  }
}

TEST(CoreArguments, EveryOptionOfSaveButThoseIsThereAndOneMore) {
  std::set<std::string> of_save = OptionsOf(SaveFormat::kImage);
  EXPECT_GT(of_save.size(), 30u);
  EXPECT_TRUE(of_save.contains("--via") && of_save.contains("--spill-limit"));
  for (const std::string& option : kOfImage) EXPECT_EQ(of_save.erase(option), 1u) << option;
  of_save.insert("--from");
  EXPECT_EQ(OptionsOf(SaveFormat::kCore), of_save);
}

TEST(CoreArguments, EachOptionOfSaveArrivesAsItDoesThere) {
  const std::vector<std::string> arguments = {"7",
                                              "-o",
                                              "out",
                                              "--force",
                                              "--via",
                                              "wp",
                                              "--instant",
                                              "late",
                                              "--throttle",
                                              "ramp",
                                              "--fault-limit",
                                              "1ms",
                                              "--poll-time",
                                              "2ms",
                                              "--poll-count",
                                              "3",
                                              "--max-bandwidth",
                                              "200M",
                                              "--stage",
                                              "2M",
                                              "--max-stall",
                                              "4ms",
                                              "--tracker",
                                              "block",
                                              "--on-full",
                                              "abort",
                                              "--spill-dir",
                                              "dir",
                                              "--spill-limit",
                                              "5M",
                                              "--on-lost",
                                              "abort",
                                              "--pause-limit",
                                              "6ms",
                                              "--over-pause-limit",
                                              "abort",
                                              "--exec-paused",
                                              "true",
                                              "--exec-timeout",
                                              "7ms",
                                              "--stop-timeout",
                                              "8ms",
                                              "--filter",
                                              "0x7f",
                                              "--include-dontdump",
                                              "--trace",
                                              "trace",
                                              "--report",
                                              "report",
                                              "--json",
                                              "--progress",
                                              "bar",
                                              "-q",
                                              "-v"};
  // None of them is as it is without options, so none is lost on the way.
  const auto all = [](const SaveArguments& parsed) {
    const SaveOptions& o = parsed.options;
    return std::tuple(parsed.pid, parsed.file, parsed.force, o.via, o.instant, o.throttle.policy,
                      o.throttle.fault_limit, o.throttle.poll_time, o.throttle.poll_count,
                      o.max_bandwidth, o.stage, o.max_stall, o.tracker, o.on_full, o.spill_dir,
                      o.spill_limit, o.on_lost, o.pause_limit, o.over_pause_limit,
                      parsed.exec_paused, parsed.exec_timeout, o.stop_timeout, o.filter,
                      o.include_dontdump, parsed.trace, parsed.report, parsed.json, parsed.progress,
                      parsed.quiet, parsed.verbose);
  };
  const auto save = Parse(arguments);
  const auto core = ParseCore(arguments);
  ASSERT_TRUE(save) << save.error().message;
  ASSERT_TRUE(core) << core.error().message;
  EXPECT_EQ(all(*core), all(*save));
  EXPECT_EQ(core->options.spill_limit, MiB(5));
  EXPECT_EQ(core->options.instant, Instant::kLate);
  EXPECT_EQ(core->format, SaveFormat::kCore);
  EXPECT_EQ(core->verb(), "core");
  EXPECT_EQ(save->verb(), "save");
}

TEST(CoreArguments, TheFileIsNamedAfterTheProcessUnlessItIsNamed) {
  const auto plain = ParseCore({"4711"});
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->output().path, "core.4711");
  EXPECT_FALSE(plain->output().force);
  EXPECT_EQ(plain->from, "");
  EXPECT_EQ(ParseCore({"4711", "-o", "x"})->output().path, "x");
  EXPECT_FALSE(ParseCore({"4711", "-o", ""}));
  const auto dry = ParseCore({"4711", "--dry-run"});
  ASSERT_TRUE(dry) << dry.error().message;
  EXPECT_TRUE(dry->dry_run);
}

TEST(CoreArguments, AnImageIsNamedInPlaceOfAProcess) {
  const auto parsed = ParseCore({"--from", "image", "-o", "core", "--force", "--json", "-q", "-v"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->from, "image");
  EXPECT_EQ(parsed->pid, 0);
  EXPECT_EQ(parsed->output().path, "core");
  EXPECT_TRUE(parsed->force && parsed->json && parsed->quiet && parsed->verbose);
}

TEST(CoreArguments, WhatIsWrongIsNamed) {
  const struct {
    std::vector<std::string> arguments;
    const char* in_message;
  } cases[] = {
      {{}, "no process given"},
      {{"-o", "x"}, "no process given"},
      {{"1", "2"}, "got 2 arguments"},
      {{"12x"}, "PID \"12x\""},
      {{"--from", "image"}, "no output given: where should the core go?"},
      {{"--from", "", "-o", "x"}, "--from names no image"},
      {{"12", "--from", "image", "-o", "x"}, "--from and the PID \"12\""},
      {{"--from", "image", "-o", "x", "--via", "fork"}, "--via is for saving a process"},
      {{"--from", "image", "-o", "x", "--include-dontdump"}, "--include-dontdump is for"},
      {{"--from", "image", "-o", "x", "--dry-run"}, "--dry-run is for"},
      {{"--from", "image", "-o", "x", "--progress", "bar"}, "--progress is for"},
      {{"12", "--stage", "512K"}, "from 1M to 64G"},
  };
  for (const auto& one : cases) {
    const auto parsed = ParseCore(one.arguments);
    ASSERT_FALSE(parsed) << one.in_message;
    EXPECT_EQ(ExitCodeOf(parsed.error().code), 2);
    EXPECT_NE(parsed.error().message.find(one.in_message), std::string::npos)
        << parsed.error().message;
  }
  const auto of_save = Parse({"--from", "image", "-o", "x"});
  ASSERT_FALSE(of_save);
  EXPECT_NE(of_save.error().message.find("--from"), std::string::npos);
}

}  // namespace
}  // namespace stillframe
