#include "evaluate/bench/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <fstream>
#include <thread>

namespace stillframe::evaluate {
namespace {

constexpr auto kLookFor = std::chrono::seconds(1);

std::string CpuModel() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return {};
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

Bytes MeminfoLine(const std::string& wanted) {
  std::ifstream info("/proc/meminfo");
  std::string name;
  uint64_t kib = 0;
  for (std::string unit; info >> name >> kib && std::getline(info, unit);) {
    if (name == wanted) return KiB(kib);
  }
  return Bytes{0};
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

MachineFacts ReadMachineFacts() {
  utsname system{};
  uname(&system);
  return {.date = Today(),
          .cpu = CpuModel(),
          .cpus = sysconf(_SC_NPROCESSORS_ONLN),
          .kernel = system.release,
          .memory = MeminfoLine("MemTotal:")};
}

double BusyShare() {
  const CpuTime before = ReadCpuTime();
  std::this_thread::sleep_for(kLookFor);
  const CpuTime after = ReadCpuTime();
  const double all = after.all - before.all;
  return all > 0 ? 1 - (after.idle - before.idle) / all : 0;
}

}  // namespace stillframe::evaluate
