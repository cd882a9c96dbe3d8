#include "save/tracker_thread.h"

#include <poll.h>

#include <array>

#include "region/rcu.h"

namespace stillframe {
namespace {

constexpr int kNice = -10;
constexpr int kNiceOfOthers = 5;

timespec ToTimespec(Duration duration) {
  return {.tv_sec = static_cast<time_t>(duration.count() / 1'000'000'000),
          .tv_nsec = static_cast<long>(duration.count() % 1'000'000'000)};
}

}  // namespace

TrackerThread::TrackerThread(const FaultChannel& channel, FaultTracker& tracker, Stage& stage)
    : channel_(channel),
      tracker_(tracker),
      stage_(stage),
      thread_("trk", kNice, [this] { Run(); }) {}

TrackerThread::~TrackerThread() {
  stopping_.store(true, std::memory_order_release);
  tracker_.wake().Notify();
  thread_.join();
}

int TrackerThread::nice_of_others() const { return thread_.has_its_priority() ? 0 : kNiceOfOthers; }

void TrackerThread::Run() {
  const RcuThread rcu;
  std::array<pollfd, 3> entries{
      {{.fd = channel_.descriptor(), .events = POLLIN, .revents = 0},
       {.fd = tracker_.wake().get(), .events = POLLIN, .revents = 0},
       {.fd = stage_.fault_room().get(), .events = POLLIN, .revents = 0}}};
  while (!stopping_.load(std::memory_order_acquire)) {
    const timespec limit = ToTimespec(tracker_.SleepLimit());
    const int ready = ppoll(entries.data(), entries.size(), &limit, nullptr);
    if (ready > 0 && (entries[1].revents & POLLIN) != 0) tracker_.wake().Clear();
    if (ready > 0 && (entries[2].revents & POLLIN) != 0) stage_.fault_room().Clear();
    if (ready > 0 && (entries[0].revents & POLLIN) != 0) tracker_.OnReadable();
    tracker_.Step();
  }
}

}  // namespace stillframe
