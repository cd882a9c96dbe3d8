#include "cli/save_option_table.h"

namespace stillframe {
namespace {

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

// Those that only an image has.
const std::optional<std::string>& OfImage(OptionParser& parser, SaveFormat format,
                                          const std::optional<std::string>& none, const char* name,
                                          const char* value, const char* help) {
  return format == SaveFormat::kImage ? parser.AddValue(name, 0, value, help) : none;
}
const bool& FlagOfImage(OptionParser& parser, SaveFormat format, const bool& none, const char* name,
                        const char* help) {
  return format == SaveFormat::kImage ? parser.AddFlag(name, 0, help) : none;
}

}  // namespace

SaveOptionTable::SaveOptionTable(OptionParser& p, SaveFormat format)
    : from(format == SaveFormat::kCore
               ? p.AddValue("from", 0, "IMAGE", "Make the core of an image that was saved before")
               : no_value),
      output(p.AddValue("output", 'o', FormOf(format).output_value, FormOf(format).output_help)),
      force(p.AddFlag("force", 0, "Replace an existing file, which stays whole until then")),
      compress(OfImage(p, format, no_value, "compress", "none|lz4[:N]|zstd[:LEVEL]",
                       "Of blocks; a larger N of lz4 is faster (lz4:8)")),
      compress_threads(OfImage(p, format, no_value, "compress-threads", "N",
                               "Threads for it (one for each CPU)")),
      parent(
          OfImage(p, format, no_value, "parent", "IMAGE", "Write only what is not as it is there")),
      compare(OfImage(p, format, no_value, "compare", "hash|bytes",
                      "How a page is held against the parent's (hash)")),
      any_process(FlagOfImage(p, format, no_flag, "any-process",
                              "The parent may be of a restarted process")),
      no_hashes(FlagOfImage(p, format, no_flag, "no-hashes",
                            "Keep none of pages; it can be no parent then")),
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

OptionParser SaveOptionParser(SaveFormat format) {
  const Form& form = FormOf(format);
  return OptionParser(std::string(VerbOf(format)), form.parameters,
                      std::string(form.about) + kAboutValues);
}

const char* OutputHint(SaveFormat format) { return FormOf(format).output_hint; }

}  // namespace stillframe
