#include "support/machine.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "evaluate/bench/machine.h"

namespace stillframe::bench {

void PrintHeading(int argc, char** argv) {
  const evaluate::MachineFacts machine = evaluate::ReadMachineFacts();
  std::string command = argv[0];
  command.erase(0, command.rfind('/') + 1);
  for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
  std::printf("# %s\n", command.c_str());
  std::printf("# %s, %ld x %s, Linux %s, %s%s\n", machine.date.c_str(), machine.cpus,
              machine.cpu.c_str(), machine.kernel.c_str(), STILLFRAME_BENCH_BUILD,
              STILLFRAME_BENCH_FAIL_POINTS ? ", with fail points" : "");
  const double busy = evaluate::BusyShare();
  std::printf("# CPUs in use before the start: %.0f%%%s\n", busy * 100,
              busy > evaluate::kQuietShare ? " -- others are at work here: figures are noise" : "");
  std::fflush(stdout);
}

void Die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

void Die(const std::string& what, const Error& error) {
  std::fprintf(stderr, "%s: %s%s%s\n", what.c_str(), error.message.c_str(),
               error.hint.empty() ? "" : "; ", error.hint.c_str());
  std::exit(1);
}

}  // namespace stillframe::bench
