#include "save/tracker_thread.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "region/rcu.h"
#include "save/tracker_spin.h"

namespace stillframe {
namespace {

constexpr int kNice = -10;
constexpr int kNiceOfOthers = 5;

timespec ToTimespec(Duration duration) {
  return {.tv_sec = static_cast<time_t>(duration.count() / 1'000'000'000),
          .tv_nsec = static_cast<long>(duration.count() % 1'000'000'000)};
}

// That we may run on.
size_t Cpus() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? static_cast<size_t>(CPU_COUNT(&set)) : 1;
}

// How many threads of the system run or want to; 0: unknown. "0.20 0.18 0.12 1/80 11206"
size_t RunningThreads(int loadavg) {
  std::array<char, 128> text;
  const ssize_t n = pread(loadavg, text.data(), text.size(), 0);
  if (n <= 0) return 0;
  const std::string_view line(text.data(), static_cast<size_t>(n));
  const size_t slash = line.find('/');
  if (slash == std::string_view::npos) return 0;
  const size_t begin = line.rfind(' ', slash) + 1;
  size_t running = 0;
  std::from_chars(line.data() + begin, line.data() + slash, running);
  return running;
}

}  // namespace

TrackerThread::TrackerThread(const FaultChannel& channel, FaultTracker& tracker, Stage& stage,
                             TrackerWait how)
    : channel_(channel),
      tracker_(tracker),
      stage_(stage),
      thread_("trk", kNice, [this, how] { Run(how); }) {}

TrackerThread::~TrackerThread() {
  stopping_.store(true, std::memory_order_release);
  tracker_.wake().Notify();
  thread_.join();
}

int TrackerThread::nice_of_others() const { return thread_.has_its_priority() ? 0 : kNiceOfOthers; }

void TrackerThread::Run(TrackerWait how) {
  const RcuThread rcu;
  const Clock& clock = MonotonicClock();
  const UniqueFd loadavg(open("/proc/loadavg", O_RDONLY | O_CLOEXEC));
  // Here and not in this object, which may lie in the very heap that is armed.
  TrackerSpin spin(how, Cpus());
  std::array<pollfd, 3> entries{
      {{.fd = channel_.descriptor(), .events = POLLIN, .revents = 0},
       {.fd = tracker_.wake().get(), .events = POLLIN, .revents = 0},
       {.fd = stage_.fault_room().get(), .events = POLLIN, .revents = 0}}};
  TimePoint now = clock.Now();
  TimePoint last_step = now;
  while (!stopping_.load(std::memory_order_acquire)) {
    if (spin.WantsLook(now)) spin.OnLook(now, RunningThreads(loadavg.get()));
    const Duration sleep_limit = tracker_.SleepLimit();
    const bool spins = spin.Spins(now, tracker_.MayFault());
    const timespec limit = ToTimespec(spins ? Duration(0) : sleep_limit);
    const int ready = ppoll(entries.data(), entries.size(), &limit, nullptr);
    now = clock.Now();
    if (ready == 0 && spins && now - last_step < sleep_limit) continue;
    if (ready > 0 && (entries[1].revents & POLLIN) != 0) tracker_.wake().Clear();
    if (ready > 0 && (entries[2].revents & POLLIN) != 0) stage_.fault_room().Clear();
    const bool faulted = ready > 0 && (entries[0].revents & POLLIN) != 0;
    if (faulted) tracker_.OnReadable();
    tracker_.Step();
    last_step = now = clock.Now();
    if (faulted) spin.OnFault(now);
  }
}

}  // namespace stillframe
