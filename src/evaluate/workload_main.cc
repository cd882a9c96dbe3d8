// stillframe-workload: a program that writes its memory in every way at once and checks it all the
// time.
//
// Prints "ready JSON" when all memory is filled and all parts run. Ends on SIGTERM, SIGINT or
// --seconds with a check of everything: 0 all right, 2 usage, 98 a system call failed, 99 memory
// was wrong (and stderr says where).
#include <signal.h>

#include <cerrno>
#include <chrono>
#include <cstdio>

#include "evaluate/workload.h"
#include "evaluate/workload_options.h"

namespace {

using stillframe::evaluate::Workload;

// Before any thread starts, so that all inherit it and only WaitForEnd sees these.
sigset_t BlockEndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

void WaitForEnd(const sigset_t& signals, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
  for (;;) {
    // Wakes at times, so that being traced and interrupted does no harm.
    const timespec step{.tv_sec = 0, .tv_nsec = 50'000'000};
    if (sigtimedwait(&signals, nullptr, &step) > 0) return;
    if (seconds > 0 && Clock::now() >= end) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = stillframe::evaluate::ParseWorkloadOptions(argc, argv);
  if (!options) {
    std::fprintf(stderr, "stillframe-workload: %s\n", options.error().message.c_str());
    return 2;
  }
  const sigset_t signals = BlockEndSignals();
  Workload workload(*options);
  workload.Start();
  std::printf("ready %s\n", workload.Describe().c_str());
  std::fflush(stdout);
  WaitForEnd(signals, options->seconds);
  workload.Finish();
  if (options->report_latency) std::printf("%s\n", workload.Report().c_str());
  return 0;
}
