#include "cli/save_arguments.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

#include "cli/option_parser.h"
#include "cli/option_value.h"
#include "cli/save_option_table.h"
#include "stillframe/throttle.h"

namespace stillframe {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

using Text = std::optional<std::string>;

constexpr std::array<std::string_view, 4> kPolicies = {"skip", "ramp", "adaptive", "off"};
constexpr std::array<std::string_view, 4> kWays = {"wp", "fork", "stop", "precopy"};
constexpr std::array<std::string_view, 2> kInstants = {"now", "late"};
constexpr std::array<std::string_view, 2> kKeepOrAbort = {"keep", "abort"};
constexpr std::array<std::string_view, 3> kOnFull = {"wait", "spill", "abort"};
constexpr std::array<std::string_view, 3> kTrackerWaits = {"auto", "spin", "block"};
constexpr std::array<std::string_view, 4> kStyles = {"auto", "bar", "json", "none"};

// What is of use where a core is made of an image.
constexpr std::array<std::string_view, 6> kOptionsOfFrom = {"from", "output", "force",
                                                            "json", "quiet",  "verbose"};

Result<void> SetDuration(const char* name, const Text& text, Limits<Duration> limits,
                         Duration& to) {
  if (text) {
    STILLFRAME_ASSIGN(to, ParseDuration(name, *text, limits));
  }
  return {};
}

Result<void> SetSize(const char* name, const Text& text, Limits<Bytes> limits, Bytes& to) {
  if (text) {
    STILLFRAME_ASSIGN(to, ParseSize(name, *text, limits));
  }
  return {};
}

Result<void> FillThrottle(const SaveOptionTable& raw, ThrottleOptions& to) {
  if (raw.throttle) {
    STILLFRAME_ASSIGN(to.policy, ParseChoice("--throttle", *raw.throttle, kPolicies));
  }
  STILLFRAME_TRY(
      SetDuration("--fault-limit", raw.fault_limit, {microseconds(1), hours(1)}, to.fault_limit));
  STILLFRAME_TRY(
      SetDuration("--poll-time", raw.poll_time, {microseconds(1), hours(1)}, to.poll_time));
  if (raw.poll_count) {
    STILLFRAME_ASSIGN(to.poll_count,
                      ParseCount("--poll-count", *raw.poll_count, {1, 1'000'000'000}));
  }
  // What the policy itself has to say is heard before anything is touched.
  STILLFRAME_TRY(MakeThrottlePolicy(to));
  return {};
}

Result<void> FillVia(const Text& text, Via& to) {
  if (!text) return {};
  STILLFRAME_ASSIGN(const std::string_view choice, ParseChoice("--via", *text, kWays));
  for (const Via via : {Via::kWriteProtect, Via::kFork, Via::kStop, Via::kPrecopy}) {
    if (choice == ViaName(via)) to = via;
  }
  return {};
}

Result<void> FillInstant(const Text& text, SaveOptions& to) {
  if (!text) return {};
  STILLFRAME_ASSIGN(const std::string_view choice, ParseChoice("--instant", *text, kInstants));
  to.instant = choice == InstantName(Instant::kLate) ? Instant::kLate : Instant::kNow;
  if (to.instant == Instant::kLate && to.via != Via::kWriteProtect) {
    return Fail(ErrorCode::kUsage,
                "--instant late can't be had with --via " + std::string(ViaName(to.via)),
                "only --via wp knows it");
  }
  return {};
}

Result<void> FillTracker(const Text& text, TrackerWait& to) {
  if (!text) return {};
  STILLFRAME_ASSIGN(const std::string_view choice, ParseChoice("--tracker", *text, kTrackerWaits));
  for (const TrackerWait wait : {TrackerWait::kAuto, TrackerWait::kSpin, TrackerWait::kBlock}) {
    if (choice == TrackerWaitName(wait)) to = wait;
  }
  return {};
}

Result<void> FillOnFull(const SaveOptionTable& raw, SaveOptions& to) {
  if (raw.on_full) {
    STILLFRAME_ASSIGN(const std::string_view choice,
                      ParseChoice("--on-full", *raw.on_full, kOnFull));
    to.on_full = choice == "wait"    ? OnFull::kWait
                 : choice == "spill" ? OnFull::kSpill
                                     : OnFull::kAbort;
  }
  if (raw.spill_dir) {
    if (raw.spill_dir->empty()) {
      return Fail(ErrorCode::kUsage, "--spill-dir names no directory", "--spill-dir /var/tmp");
    }
    to.spill_dir = *raw.spill_dir;
  }
  if (raw.spill_limit) {
    STILLFRAME_ASSIGN(to.spill_limit,
                      ParseSize("--spill-limit", *raw.spill_limit, {MiB(1), GiB(1024 * 1024)}));
  }
  return {};
}

Result<void> FillOptions(const SaveOptionTable& raw, SaveOptions& to) {
  STILLFRAME_TRY(FillVia(raw.via, to.via));
  STILLFRAME_TRY(FillInstant(raw.instant, to));
  STILLFRAME_TRY(FillThrottle(raw, to.throttle));
  STILLFRAME_TRY(
      SetSize("--max-bandwidth", raw.max_bandwidth, {KiB(64), GiB(1024)}, to.max_bandwidth));
  STILLFRAME_TRY(SetSize("--stage", raw.stage, {MiB(1), GiB(64)}, to.stage));
  STILLFRAME_TRY(
      SetDuration("--max-stall", raw.max_stall, {milliseconds(1), hours(1)}, to.max_stall));
  STILLFRAME_TRY(FillTracker(raw.tracker, to.tracker));
  STILLFRAME_TRY(FillOnFull(raw, to));
  STILLFRAME_TRY(
      SetDuration("--pause-limit", raw.pause_limit, {microseconds(10), hours(1)}, to.pause_limit));
  STILLFRAME_TRY(SetDuration("--stop-timeout", raw.stop_timeout, {milliseconds(1), seconds(60)},
                             to.stop_timeout));
  if (raw.over_pause_limit) {
    STILLFRAME_ASSIGN(const std::string_view choice,
                      ParseChoice("--over-pause-limit", *raw.over_pause_limit, kKeepOrAbort));
    to.over_pause_limit = choice == "abort" ? OverPauseLimit::kAbort : OverPauseLimit::kKeep;
  }
  if (raw.on_lost) {
    STILLFRAME_ASSIGN(const std::string_view choice,
                      ParseChoice("--on-lost", *raw.on_lost, kKeepOrAbort));
    to.on_lost = choice == "abort" ? OnLost::kAbort : OnLost::kKeep;
  }
  if (raw.filter) {
    STILLFRAME_ASSIGN(to.filter, ParseNumber("--filter", *raw.filter));
  }
  to.include_dontdump = raw.include_dontdump;
  return {};
}

Result<ProgressStyle> ChooseProgress(const Text& text, bool quiet, bool stderr_is_terminal) {
  std::string style = "auto";
  if (text) {
    STILLFRAME_ASSIGN(style, ParseChoice("--progress", *text, kStyles));
  }
  if (style == "bar") return ProgressStyle::kBar;
  if (style == "json") return ProgressStyle::kJson;
  if (style == "none" || quiet || !stderr_is_terminal) return ProgressStyle::kNone;
  return ProgressStyle::kBar;
}

Result<void> FillOutput(const SaveOptionTable& raw, SaveArguments& to) {
  const std::string what(FormatName(to.format));
  // Beside whatever else is dumped here, as gcore does it.
  const bool has_default = to.format == SaveFormat::kCore && to.from.empty();
  to.file = raw.output || !has_default ? raw.output.value_or("") : "core." + std::to_string(to.pid);
  if (to.file.empty()) {
    return Fail(ErrorCode::kUsage, "no output given: where should the " + what + " go?",
                OutputHint(to.format));
  }
  to.force = raw.force;
  if (to.to_stdout() && isatty(STDOUT_FILENO) != 0) {
    return Fail(ErrorCode::kUsage, "-o - would write the " + what + " to a terminal",
                "redirect stdout to a file or into a pipe");
  }
  return {};
}

// Either a process or an image that is there already.
Result<void> FillSubject(const SaveOptionTable& raw, const std::vector<std::string>& positionals,
                         const std::vector<std::string>& given, SaveArguments& to) {
  if (!raw.from) {
    if (positionals.empty()) {
      return Fail(ErrorCode::kUsage, "no process given", "stillframe core PID, or --from IMAGE");
    }
    STILLFRAME_ASSIGN(to.pid, ParsePid(positionals.front()));
    return {};
  }
  if (!positionals.empty()) {
    return Fail(ErrorCode::kUsage,
                "--from and the PID \"" + positionals.front() +
                    "\": a core is made of an image or of a process",
                "leave one of the two out");
  }
  const auto senseless = std::ranges::find_if(given, [](const std::string& name) {
    return std::ranges::find(kOptionsOfFrom, name) == kOptionsOfFrom.end();
  });
  if (senseless != given.end()) {
    return Fail(ErrorCode::kUsage,
                "--" + *senseless + " is for saving a process, which --from does not do",
                "beside --from there are -o, --force, --json, -q and -v");
  }
  if (raw.from->empty()) {
    return Fail(ErrorCode::kUsage, "--from names no image", OutputHint(to.format));
  }
  to.from = *raw.from;
  return {};
}

}  // namespace

Output SaveArguments::output() const {
  if (to_stdout()) return {.descriptor = STDOUT_FILENO};
  return {.path = file, .force = force};
}

Result<SaveArguments> ParseSaveArguments(const std::vector<std::string>& arguments,
                                         bool stderr_is_terminal, SaveFormat format) {
  OptionParser parser = SaveOptionParser(format);
  const SaveOptionTable raw(parser, format);
  const size_t least = format == SaveFormat::kCore ? 0 : 1;
  STILLFRAME_ASSIGN(const std::vector<std::string> positionals, parser.Parse(arguments, least, 1));
  SaveArguments parsed;
  parsed.format = format;
  if (parser.help_wanted()) {
    parsed.help = parser.Help();
    return parsed;
  }
  STILLFRAME_TRY(FillSubject(raw, positionals, parser.given(), parsed));
  parsed.dry_run = raw.dry_run;
  if (!parsed.dry_run) STILLFRAME_TRY(FillOutput(raw, parsed));
  STILLFRAME_TRY(FillOptions(raw, parsed.options));
  STILLFRAME_ASSIGN(parsed.image, ParseImageArguments(raw));
  STILLFRAME_TRY(SetDuration("--exec-timeout", raw.exec_timeout, {milliseconds(1), hours(1)},
                             parsed.exec_timeout));
  parsed.exec_paused = raw.exec_paused;
  parsed.trace = raw.trace.value_or("");
  parsed.report = raw.report.value_or("");
  STILLFRAME_ASSIGN(parsed.progress, ChooseProgress(raw.progress, raw.quiet, stderr_is_terminal));
  parsed.quiet = raw.quiet;
  parsed.verbose = raw.verbose;
  parsed.json = raw.json;
  return parsed;
}

}  // namespace stillframe
