#include "support/output_child.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/clock.h"

namespace stillframe::bench {
namespace {

bool SomethingWaits(int fd, int timeout_ms) {
  pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, timeout_ms) > 0;
}

void SleepUntil(TimePoint time) {
  const int64_t ns = time.time_since_epoch().count();
  const timespec until{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

}  // namespace

OutputChild::OutputChild(const StallPlan& plan) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) Die("making a pipe");
  const UniqueFd reader(ends[0]);
  writer_.reset(ends[1]);
  if (fcntl(writer_.get(), F_SETPIPE_SZ, kPipeSize) < 0) Die("widening a pipe");
  child_ = StartChild([&] { return Drain(reader.get(), plan); }, reader.get());
}

int OutputChild::Drain(int fd, const StallPlan& plan) const {
  const Clock& clock = MonotonicClock();
  std::vector<char> buffer(kPipeSize);
  const TimePoint start = clock.Now();
  for (;;) {
    if (plan.length.count() > 0) {
      const Duration phase = (clock.Now() - start) % plan.period;
      const Duration until_stall = plan.period - plan.length - phase;
      if (until_stall.count() <= 0) {
        const TimePoint end = clock.Now() + (plan.period - phase);
        SleepUntil(end);
        if (SomethingWaits(fd, 0)) ++shared_->stalls;
        continue;
      }
      const auto ms = std::chrono::ceil<std::chrono::milliseconds>(until_stall).count();
      if (!SomethingWaits(fd, static_cast<int>(ms))) continue;
    }
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0 ? 0 : 1;
    shared_->total += static_cast<uint64_t>(n);
    if (shared_->count < kMostArrivals) {
      shared_->arrivals[shared_->count++] = {clock.Now(), {shared_->total}};
    }
  }
}

void OutputChild::Finish() {
  writer_.reset();
  child_->Wait();
}

std::span<const OutputChild::Arrival> OutputChild::arrivals() const {
  return {shared_->arrivals.data(), shared_->count};
}

}  // namespace stillframe::bench
