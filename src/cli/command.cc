#include "cli/command.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "base/fail_point.h"
#include "cli/stream.h"
#include "stillframe/version.h"

namespace stillframe {
namespace {

struct Verb {
  std::string_view name;
  int (*run)(const std::vector<std::string>&);
};
constexpr std::array kVerbs = {
    Verb{"save", RunSave},     Verb{"core", RunCore},   Verb{"info", RunInfo},
    Verb{"verify", RunVerify}, Verb{"cat", RunCat},     Verb{"diff", RunDiff},
    Verb{"watch", RunWatch},   Verb{"merge", RunMerge}, Verb{"dedup", RunDedup},
    Verb{"doctor", RunDoctor}, Verb{"bench", RunBench}};

constexpr std::string_view kHelp =
    "Usage: stillframe VERB [OPTION...] [ARGUMENT...]\n"
    "\n"
    "Saves the memory of a running process as of one instant while it keeps running.\n"
    "\n"
    "  save PID -o IMAGE           save a process\n"
    "  watch PID -o DIR            save it again and again, each time what it wrote since\n"
    "  core PID [-o CORE]          the same as an ELF core, for gdb and others\n"
    "  core --from IMAGE -o CORE   an ELF core of what is in an image\n"
    "  info IMAGE                  what is in an image: target, time, mappings, pages by kind\n"
    "  verify IMAGE                check every checksum, the index, the completeness mark\n"
    "  cat IMAGE ADDRESS LENGTH    raw bytes of the target's memory to stdout\n"
    "  diff A B                    which ranges of memory differ between two images\n"
    "  merge IMAGE -o FULL         an image and its parents as one that needs none\n"
    "  dedup DIR                   free in parents what later images have in its place\n"
    "  doctor                      each kernel feature and permission needed, with the fix\n"
    "  bench                       what a save costs a program, measured here\n"
    "\n"
    "  --version                   print the version\n"
    "  --help                      print this; after a verb, its options\n"
    "\n"
    "Exit codes: 0 done, 1 other error, 2 usage, 3 a limit was broken, 4 the target is gone,\n"
    "5 not permitted, 6 a kernel feature is missing, 7 the image is damaged, 8 the output failed,\n"
    "9 written but pages were lost, 130/143 interrupted.\n";

// A closed 0, 1 or 2 would be given to the next file we open, and messages would go into the image.
void OpenStandardStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (open("/dev/null", O_RDWR) != fd) std::abort();
  }
}

// Each image of a chain is a descriptor, and 1,024 of all kinds is what a process may have unless
// it asks for more.
void AllowManyFiles() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Dispatch(const std::vector<std::string>& arguments) {
  const std::string first = arguments.empty() ? "" : arguments.front();
  if (first == "--help" || first == "-h" || first == "help") return EndWithReport("", kHelp);
  if (first == "--version") {
    return EndWithReport("", "stillframe " STILLFRAME_VERSION "\n");
  }
  const auto verb = std::ranges::find(kVerbs, first, &Verb::name);
  if (verb == kVerbs.end()) {
    const std::string message =
        arguments.empty() ? "no verb given" : "there is no verb \"" + first + "\"";
    return EndWithError(
        first,
        {.code = ErrorCode::kUsage,
         .message = message,
         .hint =
             "the verbs are save, watch, core, info, verify, cat, diff, merge, dedup, doctor and "
             "bench; stillframe --help tells more"},
        WantsJson(arguments));
  }
  return verb->run({arguments.begin() + 1, arguments.end()});
}

}  // namespace

int RunCommand(int argc, char** argv) {
  OpenStandardStreams();
  AllowManyFiles();
  // A reader that goes away is an error of the output (exit 8), not the end of us.
  std::signal(SIGPIPE, SIG_IGN);
  InitFailPoints();
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  try {
    return Dispatch(arguments);
  } catch (const std::exception& failure) {
    // Nothing here throws on purpose; what is left is std::bad_alloc.
    return EndWithError(
        "", {.message = std::string("unexpected failure: ") + failure.what(), .hint = {}},
        WantsJson(arguments));
  }
}

}  // namespace stillframe
