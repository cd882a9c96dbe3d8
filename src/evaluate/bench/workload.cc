#include "evaluate/bench/workload.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <string>
#include <thread>

#include "evaluate/bench/target.h"
#include "evaluate/check_failure.h"

namespace stillframe::evaluate {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(20);
constexpr Duration kOften = std::chrono::milliseconds(1);

bool WaitShortly(sem_t* semaphore) {
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += kLook.count();
  if (until.tv_nsec >= 1'000'000'000) {
    ++until.tv_sec;
    until.tv_nsec -= 1'000'000'000;
  }
  return sem_timedwait(semaphore, &until) == 0;
}

tl::unexpected<Error> Ended(int exit_code) {
  if (exit_code == kWrongMemoryExit) {
    return Fail(ErrorCode::kInternal, "the workload found wrong memory in itself",
                "that must never be: its message says where");
  }
  const std::string how = exit_code > 128 ? "by signal " + std::to_string(exit_code - 128)
                                          : "with " + std::to_string(exit_code);
  return Fail(ErrorCode::kInternal, "the workload ended " + how,
              "there may be too little memory: give a smaller --memory");
}

}  // namespace

BenchWorkload::BenchWorkload(const BenchPlan& plan) : plan_(plan), board_(plan.threads + 1) {
  // So that measuring what a record costs is a record.
  board_.Start(std::chrono::steady_clock::now(), Duration(0));
}

Result<std::unique_ptr<BenchWorkload>> BenchWorkload::Start(
    const BenchPlan& plan, const std::function<bool()>& cancelled) {
  std::unique_ptr<BenchWorkload> workload(new BenchWorkload(plan));
  BenchWorkload& self = *workload;
  STILLFRAME_ASSIGN(self.child_, ChildProcess::Start([&self] {
                      return RunBenchTarget(self.plan_, self.board_, *self.control_);
                    }));
  while (!WaitShortly(&self.control_->ready)) {
    if (cancelled()) return Fail(ErrorCode::kInterrupted, "interrupted");
    STILLFRAME_TRY(self.CheckRunning());
  }
  return workload;
}

double BenchWorkload::timing_cost_ns() const {
  return static_cast<double>(control_->timing_cost_ps.load()) / 1e3;
}

std::optional<uint64_t> BenchWorkload::Fingerprint() const {
  uint64_t all = 0;
  for (size_t i = 0; plan_.workload->writes && i < plan_.threads; ++i) {
    const BenchControl::Fingerprint& print = control_->fingerprints[i];
    if (print.writes.load(std::memory_order_acquire) < BenchControl::kFingerprintWrites) {
      return std::nullopt;
    }
    all = all * 31 + print.hash.load(std::memory_order_relaxed);
  }
  return all;
}

Result<void> BenchWorkload::InjectStall(Duration stall) {
  if (!plan_.workload->writes) return {};
  control_->inject_stall_ns.store(stall.count(), std::memory_order_release);
  while (control_->inject_stall_ns.load(std::memory_order_acquire) != 0) {
    STILLFRAME_TRY(CheckRunning());
    std::this_thread::sleep_for(kLook);
  }
  return {};
}

Result<void> BenchWorkload::SaveItself(const std::string& path, const BenchStop& stop) {
  BenchControl::SelfFork& request = control_->self_fork;
  if (path.size() >= request.path.size()) {
    return Fail(ErrorCode::kUsage, "'" + path + "' is too long a path");
  }
  std::ranges::copy(path, request.path.begin());
  request.path[path.size()] = '\0';
  request.state.store(BenchControl::SelfFork::kAsked, std::memory_order_release);
  while (request.state.load(std::memory_order_acquire) != BenchControl::SelfFork::kDone) {
    STILLFRAME_TRY(CheckRunning());
    if (stop.cancelled()) return Fail(ErrorCode::kInterrupted, "interrupted: the bench was ended");
    std::this_thread::sleep_for(kOften);
  }
  if (request.error == 0) return {};
  return FailErrno(request.error, "the workload's own fork, writing to '" + path + "'", {},
                   ErrorCode::kOutput);
}

Result<void> BenchWorkload::CheckRunning() {
  if (child_->Ended()) return Ended(child_->Wait());
  return {};
}

Result<void> BenchWorkload::Finish() {
  control_->stop.store(true);
  const int exit_code = child_->Wait();
  if (exit_code != 0) return Ended(exit_code);
  return {};
}

}  // namespace stillframe::evaluate
