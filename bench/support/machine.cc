#include "support/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <thread>

namespace stillframe::bench {
namespace {

// What others may use of the machine before the figures are theirs as well.
constexpr double kQuiet = 0.1;
constexpr auto kLookFor = std::chrono::seconds(1);

std::string CpuModel() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown CPU";
}

struct CpuTime {
  double all = 0;
  double idle = 0;
};

CpuTime ReadCpuTime() {
  // user, nice, system, idle, iowait, irq, softirq, steal
  constexpr int kFields = 8;
  std::ifstream stat("/proc/stat");
  std::string name;
  stat >> name;
  CpuTime time;
  for (int i = 0; i < kFields; ++i) {
    double ticks = 0;
    stat >> ticks;
    time.all += ticks;
    if (i == 3 || i == 4) time.idle += ticks;
  }
  return time;
}

// The share of all CPUs that somebody used in a moment in which we did nothing.
double BusyShare() {
  const CpuTime before = ReadCpuTime();
  std::this_thread::sleep_for(kLookFor);
  const CpuTime after = ReadCpuTime();
  const double all = after.all - before.all;
  return all > 0 ? 1 - (after.idle - before.idle) / all : 0;
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
  std::string command = argv[0];
  command.erase(0, command.rfind('/') + 1);
  for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
  std::printf("# %s\n", command.c_str());
  std::printf("# %s, %ld x %s, Linux %s, %s%s\n", Today().c_str(), sysconf(_SC_NPROCESSORS_ONLN),
              CpuModel().c_str(), system.release, STILLFRAME_BENCH_BUILD,
              STILLFRAME_BENCH_FAIL_POINTS ? ", with fail points" : "");
  const double busy = BusyShare();
  std::printf("# CPUs in use before the start: %.0f%%%s\n", busy * 100,
              busy > kQuiet ? " -- others are at work here: figures are noise" : "");
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
