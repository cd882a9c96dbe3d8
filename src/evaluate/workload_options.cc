#include "evaluate/workload_options.h"

#include <glib.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>

namespace stillframe::evaluate {
namespace {

// As GLib fills them in; strings are owned by us.
struct RawOptions {
  gchar* memory = nullptr;
  gint threads = 4;
  gchar* rate = nullptr;
  gint64 seed = 1;
  gdouble seconds = 0;
  gchar* only = nullptr;
  gchar* without = nullptr;
  gdouble churn_rate = 200;
  gchar* churn_min = nullptr;
  gchar* churn_max = nullptr;
  gint churn_live = 0;
  gboolean tickets = FALSE;
  gint ticket_pages = 4096;
  gchar* status = nullptr;
  gchar* scratch = nullptr;
  gboolean report_latency = FALSE;
  gint64 corrupt_after = 0;
  gchar* corrupt_part = nullptr;

  ~RawOptions() {
    for (gchar* text :
         {memory, rate, only, without, churn_min, churn_max, status, scratch, corrupt_part}) {
      g_free(text);
    }
  }
};

std::optional<uint64_t> ParseSize(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  const int shift = unit.empty() ? 0 : unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : -1;
  if (shift < 0 || std::countl_zero(value) < shift) return std::nullopt;
  return value << shift;
}

Result<void> ReadSize(const char* option, const gchar* text, uint64_t smallest, uint64_t* value) {
  if (text == nullptr) return {};
  const auto size = ParseSize(text);
  if (!size || *size < smallest) {
    return Fail(ErrorCode::kUsage, std::string(option) + ": not a size of at least " +
                                       std::to_string(smallest) + " bytes: " + text);
  }
  *value = *size;
  return {};
}

Result<std::set<std::string>> ReadParts(const char* option, const gchar* text) {
  std::set<std::string> parts;
  std::istringstream list(text);
  for (std::string part; std::getline(list, part, ',');) {
    if (!PartNames().contains(part)) {
      return Fail(ErrorCode::kUsage, std::string(option) + ": no such part: " + part);
    }
    parts.insert(part);
  }
  return parts;
}

Result<void> ChooseParts(const RawOptions& raw, WorkloadOptions* options) {
  if (raw.only != nullptr) {
    STILLFRAME_ASSIGN(options->parts, ReadParts("--only", raw.only));
  } else {
    options->parts = PartNames();
    options->parts.erase("tickets");
  }
  if (raw.without != nullptr) {
    STILLFRAME_ASSIGN(const std::set<std::string> without, ReadParts("--without", raw.without));
    for (const std::string& part : without) options->parts.erase(part);
  }
  if (raw.tickets) options->parts.insert("tickets");
  if (options->parts.empty()) return Fail(ErrorCode::kUsage, "no part is left to do");
  return {};
}

Result<void> ReadRate(const gchar* text, double* rate) {
  if (text == nullptr || std::string_view(text) == "max") return {};
  gchar* end = nullptr;
  *rate = g_ascii_strtod(text, &end);
  if (end == text || *end != '\0' || !(*rate > 0)) {
    return Fail(ErrorCode::kUsage, std::string("--rate: neither a number nor max: ") + text);
  }
  return {};
}

Result<WorkloadOptions> Convert(const RawOptions& raw) {
  WorkloadOptions options;
  uint64_t memory = options.memory.count;
  STILLFRAME_TRY(ReadSize("--memory", raw.memory, 1 << 20, &memory));
  options.memory = {memory};
  STILLFRAME_TRY(ReadSize("--churn-min", raw.churn_min, 8, &options.churn.smallest));
  STILLFRAME_TRY(ReadSize("--churn-max", raw.churn_max, 8, &options.churn.largest));
  STILLFRAME_TRY(ReadRate(raw.rate, &options.rate));
  STILLFRAME_TRY(ChooseParts(raw, &options));
  if (raw.threads < 1 || raw.threads > 32) return Fail(ErrorCode::kUsage, "--threads: 1 to 32");
  if (options.churn.largest < options.churn.smallest) {
    return Fail(ErrorCode::kUsage, "--churn-max is less than --churn-min");
  }
  if (raw.churn_rate < 0) return Fail(ErrorCode::kUsage, "--churn-rate: not negative");
  const auto pages = static_cast<unsigned>(raw.ticket_pages);
  if (raw.ticket_pages < 16 || raw.ticket_pages > 1 << 20 || !std::has_single_bit(pages)) {
    return Fail(ErrorCode::kUsage, "--ticket-pages: a power of two, 16 to 1048576");
  }
  options.threads = static_cast<size_t>(raw.threads);
  options.seed = static_cast<uint64_t>(raw.seed);
  options.seconds = raw.seconds;
  options.churn_rate = raw.churn_rate;
  // No more than an eighth of the arena in blocks of middling size, unless asked for.
  const uint64_t middling = (options.churn.smallest + options.churn.largest) / 2;
  options.churn.live_blocks = raw.churn_live > 0
                                  ? static_cast<size_t>(raw.churn_live)
                                  : std::clamp<size_t>(options.memory.count / 8 / middling, 4, 64);
  options.ticket_pages = pages;
  if (raw.status != nullptr) options.status = raw.status;
  if (raw.scratch != nullptr) options.scratch = raw.scratch;
  options.report_latency = raw.report_latency;
  options.corrupt_after = static_cast<uint64_t>(std::max<gint64>(0, raw.corrupt_after));
  if (raw.corrupt_part != nullptr) options.corrupt_part = raw.corrupt_part;
  return options;
}

}  // namespace

const std::set<std::string>& PartNames() {
  static const std::set<std::string> names = {
      "random", "sequential",  "churn",   "remap",  "protect",  "threads",   "spawn",  "direct",
      "uring",  "uring-fixed", "discard", "shared", "constant", "overwrite", "tickets"};
  return names;
}

Result<WorkloadOptions> ParseWorkloadOptions(int argc, char** argv) {
  RawOptions raw;
  const GOptionEntry entries[] = {
      {"memory", 'm', 0, G_OPTION_ARG_STRING, &raw.memory, "Size of the arena (256M)", "SIZE"},
      {"threads", 't', 0, G_OPTION_ARG_INT, &raw.threads, "Writers (4)", "N"},
      {"rate", 'r', 0, G_OPTION_ARG_STRING, &raw.rate, "Writes per second, all together (max)",
       "N|max"},
      {"seed", 0, 0, G_OPTION_ARG_INT64, &raw.seed, "Start of all randomness (1)", "N"},
      {"seconds", 's', 0, G_OPTION_ARG_DOUBLE, &raw.seconds, "End after this time (never)", "N"},
      {"only", 0, 0, G_OPTION_ARG_STRING, &raw.only, "Only these parts", "LIST"},
      {"without", 0, 0, G_OPTION_ARG_STRING, &raw.without, "All but these parts", "LIST"},
      {"churn-rate", 0, 0, G_OPTION_ARG_DOUBLE, &raw.churn_rate,
       "Frees per second, 0: no limit (200)", "N"},
      {"churn-min", 0, 0, G_OPTION_ARG_STRING, &raw.churn_min, "Smallest block (64K)", "SIZE"},
      {"churn-max", 0, 0, G_OPTION_ARG_STRING, &raw.churn_max, "Largest block (4M)", "SIZE"},
      {"churn-live", 0, 0, G_OPTION_ARG_INT, &raw.churn_live, "Blocks at any time", "N"},
      {"tickets", 0, 0, G_OPTION_ARG_NONE, &raw.tickets, "Write tickets too", nullptr},
      {"ticket-pages", 0, 0, G_OPTION_ARG_INT, &raw.ticket_pages, "Slots for tickets (4096)", "N"},
      {"status", 0, 0, G_OPTION_ARG_FILENAME, &raw.status, "Keep counters in this file", "FILE"},
      {"scratch", 0, 0, G_OPTION_ARG_FILENAME, &raw.scratch, "Where to make a file to read (/tmp)",
       "DIR"},
      {"report-latency", 0, 0, G_OPTION_ARG_NONE, &raw.report_latency,
       "Print latencies of writes as JSON at the end", nullptr},
      {"corrupt-after", 0, 0, G_OPTION_ARG_INT64, &raw.corrupt_after,
       "Put a wrong byte after so many steps", "N"},
      {"corrupt-part", 0, 0, G_OPTION_ARG_STRING, &raw.corrupt_part, "Which part does that",
       "NAME"},
      {nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr}};
  const std::unique_ptr<GOptionContext, decltype(&g_option_context_free)> context(
      g_option_context_new("- writes memory in every way at once and checks it"),
      g_option_context_free);
  g_option_context_add_main_entries(context.get(), entries, nullptr);
  GError* error = nullptr;
  if (!g_option_context_parse(context.get(), &argc, &argv, &error)) {
    std::string message = error->message;
    g_error_free(error);
    return Fail(ErrorCode::kUsage, std::move(message));
  }
  if (argc > 1) {
    return Fail(ErrorCode::kUsage, std::string("not an option: ") + argv[1]);
  }
  return Convert(raw);
}

}  // namespace stillframe::evaluate
