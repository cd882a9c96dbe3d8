#include "cli/option_parser.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace stillframe {
namespace {

using Context = std::unique_ptr<GOptionContext, decltype(&g_option_context_free)>;
using Strings = std::unique_ptr<gchar*, decltype(&g_strfreev)>;

// An argument vector that GLib may rearrange and free pieces of.
Strings MakeArgv(const std::string& program, const std::vector<std::string>& arguments) {
  gchar** argv = g_new0(gchar*, arguments.size() + 2);
  argv[0] = g_strdup(program.c_str());
  for (size_t i = 0; i < arguments.size(); ++i) argv[i + 1] = g_strdup(arguments[i].c_str());
  return Strings(argv, &g_strfreev);
}

bool AsksForHelp(const std::vector<std::string>& arguments) {
  const auto end = std::ranges::find(arguments, "--");
  return std::any_of(arguments.begin(), end, [](const std::string& argument) {
    return argument == "--help" || argument == "-h";
  });
}

}  // namespace

OptionParser::OptionParser(std::string verb, std::string parameters, std::string about)
    : verb_(std::move(verb)), parameters_(std::move(parameters)), about_(std::move(about)) {}

OptionParser::~OptionParser() {
  for (Value& value : values_) g_free(value.parsed);
}

const bool& OptionParser::AddFlag(const char* name, char short_name, const char* help) {
  Flag& flag = flags_.emplace_back();
  entries_.push_back({name, short_name, 0, G_OPTION_ARG_NONE, &flag.parsed, help, nullptr});
  return flag.value;
}

const std::optional<std::string>& OptionParser::AddValue(const char* name, char short_name,
                                                         const char* value_name, const char* help) {
  Value& value = values_.emplace_back();
  entries_.push_back({name, short_name, 0, G_OPTION_ARG_FILENAME, &value.parsed, help, value_name});
  return value.value;
}

GOptionContext* OptionParser::MakeContext() const {
  // GLib prints its own help and exits; ours leaves that to the caller.
  GOptionContext* context = g_option_context_new(parameters_.c_str());
  g_option_context_set_help_enabled(context, FALSE);
  g_option_context_set_summary(context, about_.c_str());
  std::vector<GOptionEntry> entries = entries_;
  entries.push_back({"help", 'h', 0, G_OPTION_ARG_NONE, nullptr, "Print this", nullptr});
  static gboolean unused = FALSE;
  entries.back().arg_data = &unused;
  entries.push_back({});
  g_option_context_add_main_entries(context, entries.data(), nullptr);
  return context;
}

Result<std::vector<std::string>> OptionParser::Parse(const std::vector<std::string>& arguments,
                                                     size_t least, size_t most) {
  help_wanted_ = AsksForHelp(arguments);
  if (help_wanted_) return std::vector<std::string>();
  const std::string hint = "stillframe " + verb_ + " --help lists what there is";
  const Context context(MakeContext(), &g_option_context_free);
  const Strings argv = MakeArgv("stillframe " + verb_, arguments);
  gchar** rest = argv.get();
  GError* failure = nullptr;
  if (!g_option_context_parse_strv(context.get(), &rest, &failure)) {
    const std::unique_ptr<GError, decltype(&g_error_free)> owned(failure, &g_error_free);
    return Fail(ErrorCode::kUsage, "stillframe " + verb_ + ": " + failure->message, hint);
  }
  for (Flag& flag : flags_) flag.value = flag.parsed != FALSE;
  for (Value& value : values_) {
    if (value.parsed != nullptr) value.value = value.parsed;
  }
  std::vector<std::string> left;
  for (gchar** argument = rest + 1; *argument != nullptr; ++argument) left.emplace_back(*argument);
  // GLib leaves a "--" in place when what follows begins with a dash.
  std::erase(left, "--");
  if (left.size() < least || left.size() > most) {
    return Fail(ErrorCode::kUsage,
                "stillframe " + verb_ + ": expected " + parameters_ + ", got " +
                    std::to_string(left.size()) + " arguments beside the options",
                hint);
  }
  return left;
}

std::vector<std::string> OptionParser::given() const {
  std::vector<std::string> names;
  for (const GOptionEntry& entry : entries_) {
    const bool set = entry.arg == G_OPTION_ARG_NONE
                         ? *static_cast<const gboolean*>(entry.arg_data) != FALSE
                         : *static_cast<gchar* const*>(entry.arg_data) != nullptr;
    if (set) names.emplace_back(entry.long_name);
  }
  return names;
}

std::string OptionParser::Help() const {
  const Context context(MakeContext(), &g_option_context_free);
  const std::string program = "stillframe " + verb_;
  const std::string before = g_get_prgname() != nullptr ? g_get_prgname() : "";
  g_set_prgname(program.c_str());
  const std::unique_ptr<gchar, decltype(&g_free)> text(
      g_option_context_get_help(context.get(), TRUE, nullptr), &g_free);
  if (!before.empty()) g_set_prgname(before.c_str());
  return text.get();
}

}  // namespace stillframe
