#include "cli/watch_arguments.h"

#include <chrono>

#include "cli/option_parser.h"
#include "cli/option_value.h"

namespace stillframe {
namespace {

using Text = std::optional<std::string>;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr char kAbout[] =
    "Stays attached to process PID and saves it again and again to images in DIR, each the "
    "difference to the\n"
    "one before. A DIR that has images of this process already is gone on with. SIGINT and SIGTERM "
    "end it.\n"
    "Needs Linux 6.7.\n";

}  // namespace

Result<WatchArguments> ParseWatchArguments(const std::vector<std::string>& arguments) {
  OptionParser parser("watch", "PID -o DIR", kAbout);
  const Text& output = parser.AddValue("output", 'o', "DIR", "Where the images go. Required");
  const Text& every = parser.AddValue("every", 0, "TIME", "From one instant to the next (60s)");
  const Text& keep =
      parser.AddValue("keep", 0, "N", "Keep the newest N, and at most as many more (all)");
  const Text& count = parser.AddValue("count", 0, "N", "End after N images (never)");
  const Text& compress =
      parser.AddValue("compress", 0, "none|lz4|zstd[:LEVEL]", "How blocks are encoded (lz4)");
  const Text& threads =
      parser.AddValue("compress-threads", 0, "N", "Threads that encode (one for each CPU)");
  const Text& compare =
      parser.AddValue("compare", 0, "hash|bytes", "How pages are held against the parent's (hash)");
  const Text& bandwidth =
      parser.AddValue("max-bandwidth", 0, "SIZE", "Bytes per second to the output");
  const Text& pause_limit = parser.AddValue("pause-limit", 0, "TIME",
                                            "What is done inside the pause may take so long (1ms)");
  const Text& filter =
      parser.AddValue("filter", 0, "MASK", "As coredump_filter (the target's own)");
  const bool& json = parser.AddFlag("json", 0, "The summary of each image as a line of JSON");
  const bool& quiet = parser.AddFlag("quiet", 'q', "Only warnings and errors");
  STILLFRAME_ASSIGN(const std::vector<std::string> positionals, parser.Parse(arguments, 1));
  WatchArguments parsed;
  if (parser.help_wanted()) {
    parsed.help = parser.Help();
    return parsed;
  }
  STILLFRAME_ASSIGN(parsed.pid, ParsePid(positionals.front()));
  parsed.directory = output.value_or("");
  if (parsed.directory.empty()) {
    return Fail(ErrorCode::kUsage, "no directory given: where should the images go?",
                "stillframe watch PID --every 60s -o DIR");
  }
  if (every) {
    STILLFRAME_ASSIGN(parsed.every, ParseDuration("--every", *every, {milliseconds(1), hours(24)}));
  }
  if (keep) {
    STILLFRAME_ASSIGN(parsed.keep, ParseCount("--keep", *keep, {1, 500}));
  }
  if (count) {
    STILLFRAME_ASSIGN(parsed.count, ParseCount("--count", *count, {1, UINT64_MAX}));
  }
  if (compress) {
    STILLFRAME_ASSIGN(parsed.image.compression, ParseCompression("--compress", *compress));
  }
  if (threads) {
    STILLFRAME_ASSIGN(parsed.image.threads, ParseCount("--compress-threads", *threads, {1, 256}));
  }
  if (compare) {
    STILLFRAME_ASSIGN(parsed.image.compare, ParseCompare("--compare", *compare));
  }
  if (bandwidth) {
    STILLFRAME_ASSIGN(parsed.options.max_bandwidth,
                      ParseSize("--max-bandwidth", *bandwidth, {KiB(64), GiB(1024)}));
  }
  if (pause_limit) {
    STILLFRAME_ASSIGN(parsed.options.pause_limit,
                      ParseDuration("--pause-limit", *pause_limit, {microseconds(10), hours(1)}));
  }
  if (filter) {
    STILLFRAME_ASSIGN(parsed.options.filter, ParseNumber("--filter", *filter));
  }
  parsed.options.via = Via::kPrecopy;
  parsed.json = json;
  parsed.quiet = quiet;
  return parsed;
}

}  // namespace stillframe
