#include "cli/save_arguments.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

#include "cli/option_parser.h"
#include "cli/option_value.h"
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

constexpr char kAboutValues[] =
    "Sizes take K, M and G (powers of 1024), durations us, ms and s. SIGINT and SIGTERM give up "
    "cleanly,\n"
    "SIGUSR1 prints a status line.";

// In which the verbs differ.
struct Form {
  const char* parameters;
  const char* about;
  const char* output_value;
  const char* output_help;
  const char* output_hint;
};
constexpr Form kSaveForm = {
    .parameters = "PID -o IMAGE",
    .about =
        "Saves the memory of process PID as of one instant to the file IMAGE (\"-\": stdout) while "
        "it keeps "
        "running.\n",
    .output_value = "IMAGE",
    .output_help = "Where to; - for stdout. Required",
    .output_hint = "stillframe save PID -o IMAGE, or -o - for stdout"};
constexpr Form kCoreForm = {
    .parameters = "PID [-o CORE], or --from IMAGE -o CORE",
    .about =
        "Writes an ELF core of process PID as of one instant while it keeps running, for gdb "
        "and others;\n"
        "with --from, of the process that was saved to IMAGE.\n",
    .output_value = "CORE",
    .output_help = "Where to (core.PID); - for stdout, with --via fork or stop, or --from",
    .output_hint = "stillframe core --from IMAGE -o CORE, or -o - for stdout"};

const Form& FormOf(SaveFormat format) {
  return format == SaveFormat::kCore ? kCoreForm : kSaveForm;
}

// What is of use where a core is made of an image.
constexpr std::array<std::string_view, 6> kOptionsOfFrom = {"from", "output", "force",
                                                            "json", "quiet",  "verbose"};

// The options as GLib fills them, named once.
struct RawOptions {
  RawOptions(OptionParser& p, SaveFormat format)
      : from(format == SaveFormat::kCore
                 ? p.AddValue("from", 0, "IMAGE", "Make the core of an image that was saved before")
                 : none),
        output(p.AddValue("output", 'o', FormOf(format).output_value, FormOf(format).output_help)),
        force(p.AddFlag("force", 0, "Replace an existing file, which stays whole until then")),
        via(p.AddValue("via", 0, "wp|fork|stop|precopy",
                       "Write protection, a forked copy, stopped, or in rounds (wp)")),
        instant(p.AddValue("instant", 0, "now|late",
                           "Of wp: at once, or once all was copied while it runs (now)")),
        throttle(
            p.AddValue("throttle", 0, "skip|ramp|adaptive|off", "When the scan holds back (skip)")),
        fault_limit(p.AddValue("fault-limit", 0, "TIME", "A longer wait is a slow fault (5ms)")),
        poll_time(p.AddValue("poll-time", 0, "TIME", "One poll after a slow fault (5ms)")),
        poll_count(p.AddValue("poll-count", 0, "N", "Polls after a slow fault (200)")),
        max_bandwidth(p.AddValue("max-bandwidth", 0, "SIZE", "Bytes per second to the output")),
        stage(p.AddValue("stage", 0, "SIZE", "Memory for copies on their way out (64M)")),
        max_stall(p.AddValue("max-stall", 0, "TIME", "Give up when a write waits longer (1s)")),
        tracker(p.AddValue("tracker", 0, "auto|spin|block",
                           "How the next write that has to be served is waited for (auto)")),
        on_full(p.AddValue("on-full", 0, "wait|spill|abort",
                           "When a write finds no room in the stage (spill)")),
        spill_dir(p.AddValue("spill-dir", 0, "DIR", "Where pages are spilled to (/var/tmp)")),
        spill_limit(
            p.AddValue("spill-limit", 0, "SIZE", "At most so much (half of what is free there)")),
        on_lost(p.AddValue("on-lost", 0, "keep|abort", "What a lost page does (keep)")),
        pause_limit(p.AddValue("pause-limit", 0, "TIME",
                               "What is done inside the pause may take so long (1ms)")),
        over_pause_limit(
            p.AddValue("over-pause-limit", 0, "keep|abort", "What a longer pause does (keep)")),
        exec_paused(p.AddValue("exec-paused", 0, "CMD", "Run by sh -c at the instant")),
        exec_timeout(p.AddValue("exec-timeout", 0, "TIME", "How long CMD may take (10s)")),
        stop_timeout(p.AddValue("stop-timeout", 0, "TIME", "One try to stop the target (100ms)")),
        filter(p.AddValue("filter", 0, "MASK", "As coredump_filter (the target's own)")),
        include_dontdump(p.AddFlag("include-dontdump", 0, "Save MADV_DONTDUMP memory too")),
        trace(p.AddValue("trace", 0, "FILE", "Write what the save saw here, for the simulator")),
        report(p.AddValue("report", 0, "FILE.html", "Draw what the save saw, as one HTML page")),
        dry_run(p.AddFlag("dry-run", 0, "Only predict what each way would cost; needs no output")),
        json(p.AddFlag("json", 0, "The summary as one JSON object")),
        progress(p.AddValue("progress", 0, "auto|bar|json|none", "On stderr (auto: bar on a tty)")),
        quiet(p.AddFlag("quiet", 'q', "Only warnings and errors")),
        verbose(p.AddFlag("verbose", 'v', "List all skipped and lost ranges")) {}

  const Text none;
  const Text& from;
  const Text& output;
  const bool& force;
  const Text& via;
  const Text& instant;
  const Text& throttle;
  const Text& fault_limit;
  const Text& poll_time;
  const Text& poll_count;
  const Text& max_bandwidth;
  const Text& stage;
  const Text& max_stall;
  const Text& tracker;
  const Text& on_full;
  const Text& spill_dir;
  const Text& spill_limit;
  const Text& on_lost;
  const Text& pause_limit;
  const Text& over_pause_limit;
  const Text& exec_paused;
  const Text& exec_timeout;
  const Text& stop_timeout;
  const Text& filter;
  const bool& include_dontdump;
  const Text& trace;
  const Text& report;
  const bool& dry_run;
  const bool& json;
  const Text& progress;
  const bool& quiet;
  const bool& verbose;
};

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

Result<void> FillThrottle(const RawOptions& raw, ThrottleOptions& to) {
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

Result<void> FillOnFull(const RawOptions& raw, SaveOptions& to) {
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

Result<void> FillOptions(const RawOptions& raw, SaveOptions& to) {
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

Result<void> FillOutput(const RawOptions& raw, SaveArguments& to) {
  const std::string what(FormatName(to.format));
  // Beside whatever else is dumped here, as gcore does it.
  const bool has_default = to.format == SaveFormat::kCore && to.from.empty();
  to.file = raw.output || !has_default ? raw.output.value_or("") : "core." + std::to_string(to.pid);
  if (to.file.empty()) {
    return Fail(ErrorCode::kUsage, "no output given: where should the " + what + " go?",
                FormOf(to.format).output_hint);
  }
  to.force = raw.force;
  if (to.to_stdout() && isatty(STDOUT_FILENO) != 0) {
    return Fail(ErrorCode::kUsage, "-o - would write the " + what + " to a terminal",
                "redirect stdout to a file or into a pipe");
  }
  return {};
}

// Either a process or an image that is there already.
Result<void> FillSubject(const RawOptions& raw, const std::vector<std::string>& positionals,
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
    return Fail(ErrorCode::kUsage, "--from names no image", FormOf(to.format).output_hint);
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
  const Form& form = FormOf(format);
  OptionParser parser(std::string(VerbOf(format)), form.parameters,
                      std::string(form.about) + kAboutValues);
  const RawOptions raw(parser, format);
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
