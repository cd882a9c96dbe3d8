#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/mapped_memory.h"
#include "base/service_thread.h"
#include "stillframe/target.h"
#include "sys/proc_file.h"
#include "sys/process_status.h"

namespace stillframe {
namespace {

constexpr Duration kParkTimeout = std::chrono::seconds(1);
constexpr Duration kLeaveTimeout = std::chrono::milliseconds(200);
constexpr timespec kBetweenLooks{.tv_sec = 0, .tv_nsec = 50'000};
constexpr size_t kMostThreads = 65536;

// What threads in the handler look at. In memory of its own, which no save protects.
struct ParkingLot {
  std::atomic<uint32_t> open = 1;     // futex; 0 while threads are to stay
  std::atomic<uint32_t> parked = 0;   // threads that are waiting in the handler now
  std::atomic<uint32_t> arrived = 0;  // slots of `tids` in use
  std::atomic<pid_t> tids[kMostThreads] = {};
};

// The one way into a signal handler. Set only while a pause is on.
std::atomic<ParkingLot*> active_lot = nullptr;

void Park(int, siginfo_t*, void*) {
  const int saved_errno = errno;
  ParkingLot* lot = active_lot.load();
  if (lot == nullptr) return;
  lot->parked.fetch_add(1);
  const uint32_t slot = lot->arrived.fetch_add(1);
  if (slot < kMostThreads) lot->tids[slot].store(static_cast<pid_t>(syscall(SYS_gettid)));
  while (lot->open.load() == 0) {
    syscall(SYS_futex, &lot->open, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
  }
  lot->parked.fetch_sub(1);
  errno = saved_errno;
}

// A thread that serves the save: parked, it would serve nobody.
bool IsServiceThread(pid_t tid) {
  std::array<char, 32> name;
  return ReadSmallFile(AT_FDCWD, ProcPath("/proc/self/task/", tid, "comm").c_str(), name)
      .starts_with(kServiceThreadPrefix);
}

// Parks and releases all threads of the process but some.
class Parking {
 public:
  Parking(int signal, std::vector<pid_t> except)
      : signal_(signal), except_(std::move(except)), lot_(MakeMapped<ParkingLot>()) {
    signalled_ = MappedArray<pid_t>(kMostThreads);
  }
  Parking(const Parking&) = delete;
  Parking& operator=(const Parking&) = delete;
  ~Parking() { Release(); }

  Result<void> ParkAll();
  void Release();

 private:
  Result<void> InstallHandler();
  bool IsParked(pid_t tid) const;
  bool WasSignalled(pid_t tid) const;
  bool Exempt(pid_t tid) const;
  // One look at all threads: true when every one that there is was parked before it.
  bool SignalOthers();
  bool AllLeft(TimePoint end) const;

  int signal_;
  std::vector<pid_t> except_;
  MappedPtr<ParkingLot> lot_;
  MappedArray<pid_t> signalled_;
  size_t signalled_count_ = 0;
  bool active_ = false;
  struct sigaction previous_ {};
};

Result<void> Parking::InstallHandler() {
  if (signal_ < SIGRTMIN || signal_ > SIGRTMAX) {
    return Fail(ErrorCode::kUsage,
                "parking the threads: signal " + std::to_string(signal_) +
                    " is not a real-time signal of this system",
                "use one from SIGRTMIN to SIGRTMAX that the program has no other use for");
  }
  ParkingLot* none = nullptr;
  if (!active_lot.compare_exchange_strong(none, lot_.get())) {
    return Fail(ErrorCode::kUsage, "parking the threads: another pause is on");
  }
  struct sigaction action {};
  action.sa_sigaction = Park;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigfillset(&action.sa_mask);
  if (sigaction(signal_, &action, &previous_) != 0) {
    const int error = errno;
    active_lot.store(nullptr);
    return FailErrno(error, "parking the threads: sigaction");
  }
  return {};
}

bool Parking::IsParked(pid_t tid) const {
  const uint32_t count = std::min<uint32_t>(lot_->arrived.load(), kMostThreads);
  for (uint32_t i = 0; i < count; ++i) {
    if (lot_->tids[i].load() == tid) return true;
  }
  return false;
}

bool Parking::WasSignalled(pid_t tid) const {
  return std::find(signalled_.begin(), signalled_.begin() + signalled_count_, tid) !=
         signalled_.begin() + signalled_count_;
}

bool Parking::Exempt(pid_t tid) const {
  return tid == gettid() || std::ranges::find(except_, tid) != except_.end();
}

bool Parking::SignalOthers() {
  bool all = true;
  NumberedEntries threads(AT_FDCWD, "/proc/self/task");
  while (const pid_t tid = threads.Next()) {
    if (Exempt(tid) || IsParked(tid) || IsServiceThread(tid)) continue;
    if (!WasSignalled(tid)) {
      if (signalled_count_ == kMostThreads) return false;
      if (syscall(SYS_tgkill, getpid(), tid, signal_) != 0) continue;  // it has just ended
      signalled_[signalled_count_++] = tid;
    }
    const auto stat = ReadStat(AT_FDCWD, ProcPath("/proc/self/task/", tid, "stat").c_str());
    all = all && (!stat || stat->dead() || stat->kernel_worker());
  }
  return all;
}

Result<void> Parking::ParkAll() {
  lot_->arrived.store(0);
  signalled_count_ = 0;
  STILLFRAME_TRY(InstallHandler());
  active_ = true;
  lot_->open.store(0);
  const TimePoint end = MonotonicClock().Now() + kParkTimeout;
  // A thread may be born by one that was not parked yet; when a look finds all parked, nobody is
  // left to bear one.
  while (!SignalOthers()) {
    if (MonotonicClock().Now() >= end) {
      Release();
      return Fail(
          ErrorCode::kLimit,
          "parking the threads: not all of them took signal " + std::to_string(signal_),
          "a thread that blocks the signal or waits for a disk can't be parked; unblock it, or "
          "name the thread in `except` if it writes to no saved memory");
    }
    nanosleep(&kBetweenLooks, nullptr);
  }
  return {};
}

void Parking::Release() {
  if (!active_) return;
  lot_->open.store(1);
  syscall(SYS_futex, &lot_->open, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
  if (AllLeft(MonotonicClock().Now() + kLeaveTimeout)) {
    // In this order: a signal without a handler would end the program.
    sigaction(signal_, &previous_, nullptr);
    active_lot.store(nullptr);
  } else {
    // A thread that blocks the signal still has it pending. So the handler stays, which does
    // nothing any more, and so does the memory that it may be looking at.
    active_lot.store(nullptr);
    // (Unmapped without being destroyed, the holder leaves it mapped for good.)
    MakeMapped<MappedPtr<ParkingLot>>(std::move(lot_)).release();
    lot_ = MakeMapped<ParkingLot>();
  }
  active_ = false;
}

// Whether every thread that was sent the signal came to the handler (or ended), and left it.
bool Parking::AllLeft(TimePoint end) const {
  for (size_t i = 0; i < signalled_count_;) {
    const bool ended = syscall(SYS_tgkill, getpid(), signalled_[i], 0) != 0;
    if (ended || IsParked(signalled_[i])) {
      ++i;
    } else if (MonotonicClock().Now() >= end) {
      return false;
    } else {
      nanosleep(&kBetweenLooks, nullptr);
    }
  }
  while (lot_->parked.load() != 0) nanosleep(&kBetweenLooks, nullptr);
  return true;
}

}  // namespace

Quiesce ParkAllThreads(int signal, std::vector<pid_t> except) {
  // Not on the heap, which may be write-protected by the time the threads are released.
  const std::shared_ptr<Parking> parking = MakeMapped<Parking>(signal, std::move(except));
  return {.quiesce = [parking] { return parking->ParkAll(); },
          .resume = [parking] { parking->Release(); }};
}

}  // namespace stillframe
