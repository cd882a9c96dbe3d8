#include "support/options.h"

#include <glib.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace stillframe::bench {
namespace {

[[noreturn]] void Refuse(const char* program, const char* why) {
  std::fprintf(stderr, "%s: %s\n", program, why);
  std::exit(2);
}

}  // namespace

void ParseOptions(int argc, char** argv, const char* what,
                  std::initializer_list<NumberOption> options) {
  std::vector<GOptionEntry> entries;
  for (const NumberOption& option : options) {
    entries.push_back({option.name, 0, 0, G_OPTION_ARG_INT, option.value, option.help, "N"});
  }
  entries.push_back({nullptr, 0, 0, G_OPTION_ARG_NONE, nullptr, nullptr, nullptr});
  GOptionContext* context = g_option_context_new(what);
  g_option_context_add_main_entries(context, entries.data(), nullptr);
  // Parses a copy: the heading prints what was given.
  std::vector<char*> arguments(argv, argv + argc);
  arguments.push_back(nullptr);
  char** rest = arguments.data();
  GError* error = nullptr;
  if (!g_option_context_parse(context, &argc, &rest, &error)) Refuse(argv[0], error->message);
  g_option_context_free(context);
  if (argc > 1) Refuse(argv[0], "takes options only; see --help");
  for (const NumberOption& option : options) {
    if (*option.value < option.smallest) Refuse(argv[0], option.name);
  }
}

}  // namespace stillframe::bench
