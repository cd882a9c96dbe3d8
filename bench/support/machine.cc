#include "support/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>

namespace stillframe::bench {
namespace {

// What others may use of the machine before the figures are theirs.
constexpr double kQuietLoad = 0.5;

std::string CpuModel() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown CPU";
}

std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%d", &parts);
  return text;
}

}  // namespace

void PrintHeading(int argc, char** argv) {
  utsname system{};
  uname(&system);
  double load = 0;
  getloadavg(&load, 1);
  std::string command = argv[0];
  command.erase(0, command.rfind('/') + 1);
  for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
  std::printf("# %s\n", command.c_str());
  std::printf("# %s, %ld x %s, Linux %s, %s%s\n", Today().c_str(), sysconf(_SC_NPROCESSORS_ONLN),
              CpuModel().c_str(), system.release, STILLFRAME_BENCH_BUILD,
              STILLFRAME_BENCH_FAIL_POINTS ? ", with fail points" : "");
  std::printf(
      "# load before the start: %.2f%s\n", load,
      load > kQuietLoad ? " -- others are at work here: figures are noise, see ratios only" : "");
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
