#include "evaluate/bench/output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace stillframe::evaluate {
namespace {

using Clock = std::chrono::steady_clock;

// What a reader with a bandwidth takes at once: 10 ms of it, within bounds.
size_t PortionOf(const BenchOutputPlan& plan, size_t most) {
  if (plan.bandwidth.count == 0) return most;
  return std::clamp<size_t>(plan.bandwidth.count / 100, 4096, most);
}

bool SomethingWaits(int fd, int timeout_ms) {
  pollfd entry{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, timeout_ms) > 0;
}

// The other end of the pipe.
class Drain {
 public:
  Drain(int fd, const BenchOutputPlan& plan, std::atomic<uint64_t>& total,
        std::atomic<uint64_t>& stalls, const PipeReader::OnRead& on_read)
      : fd_(fd),
        plan_(plan),
        total_(total),
        stalls_(stalls),
        on_read_(on_read),
        buffer_(PortionOf(plan, PipeReader::kPipeSize)) {}

  int Run() {
    free_at_ = start_ = Clock::now();
    for (;;) {
      if (plan_.stall.count() > 0 && plan_.period.count() > 0 && !WaitBetweenStalls()) continue;
      const ssize_t n = read(fd_, buffer_.data(), buffer_.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return n == 0 ? 0 : 1;
      total_.fetch_add(static_cast<uint64_t>(n), std::memory_order_relaxed);
      if (on_read_) on_read_({total_.load(std::memory_order_relaxed)});
      if (plan_.stall.count() > 0 && plan_.period.count() == 0) StallOnce();
      PayFor(static_cast<uint64_t>(n));
    }
  }

 private:
  // True when there is something to read and no stall is due.
  bool WaitBetweenStalls() {
    const Duration phase = (Clock::now() - start_) % plan_.period;
    const Duration until_stall = plan_.period - plan_.stall - phase;
    if (until_stall.count() > 0) {
      const auto ms = std::chrono::ceil<std::chrono::milliseconds>(until_stall).count();
      return SomethingWaits(fd_, static_cast<int>(ms));
    }
    std::this_thread::sleep_for(plan_.period - phase);
    if (SomethingWaits(fd_, 0)) stalls_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }

  // In the middle of what it reads.
  void StallOnce() {
    if (!first_read_) first_read_ = Clock::now();
    if (stalls_.load(std::memory_order_relaxed) > 0) return;
    if (Clock::now() - *first_read_ < BenchOutputPlan::kBeforeStall) return;
    std::this_thread::sleep_for(plan_.stall);
    stalls_.store(1, std::memory_order_relaxed);
  }

  // Sleeps for as long as `bytes` take. What was not used is not saved up.
  void PayFor(uint64_t bytes) {
    if (plan_.bandwidth.count == 0) return;
    const auto ns = static_cast<double>(bytes) * 1e9 / static_cast<double>(plan_.bandwidth.count);
    free_at_ = std::max(free_at_, Clock::now() - kLenience) + Duration(static_cast<int64_t>(ns));
    std::this_thread::sleep_until(free_at_);
  }

  // How far behind its bandwidth it may be and still make up for it: sleeps end late.
  static constexpr Duration kLenience = std::chrono::milliseconds(20);

  const int fd_;
  const BenchOutputPlan& plan_;
  std::atomic<uint64_t>& total_;
  std::atomic<uint64_t>& stalls_;
  const PipeReader::OnRead& on_read_;
  std::vector<char> buffer_;
  TimePoint start_;
  std::optional<TimePoint> first_read_;
  TimePoint free_at_;  // when what was read is paid for
};

}  // namespace

Result<std::unique_ptr<PipeReader>> PipeReader::Start(const BenchOutputPlan& plan,
                                                      const OnRead& on_read) {
  std::unique_ptr<PipeReader> self(new PipeReader());
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return FailErrno(errno, "making a pipe to save to");
  const UniqueFd reader(ends[0]);
  self->writer_.reset(ends[1]);
  if (fcntl(ends[1], F_SETPIPE_SZ, kPipeSize) < 0) {
    return FailErrno(errno, "giving a pipe 1 MiB", "see /proc/sys/fs/pipe-max-size");
  }
  Shared& shared = *self->shared_;
  STILLFRAME_ASSIGN(self->child_, ChildProcess::Start(
                                      [&] {
                                        Drain drain(reader.get(), plan, shared.total, shared.stalls,
                                                    on_read);
                                        return drain.Run();
                                      },
                                      reader.get()));
  return self;
}

void PipeReader::Finish() {
  writer_.reset();
  child_->Wait();
}

Result<std::unique_ptr<BenchOutput>> BenchOutput::Open(const BenchOutputPlan& plan) {
  std::unique_ptr<BenchOutput> self(new BenchOutput(plan));
  if (plan.kind == BenchOutputPlan::Kind::kPipe) {
    STILLFRAME_ASSIGN(self->reader_, PipeReader::Start(plan));
  }
  return self;
}

BenchOutput::~BenchOutput() {
  if (plan_.kind == BenchOutputPlan::Kind::kFile) unlink(plan_.path.c_str());
}

Output BenchOutput::output() const {
  switch (plan_.kind) {
    case BenchOutputPlan::Kind::kFile:
      return {.path = plan_.path};
    case BenchOutputPlan::Kind::kPipe:
      return {.descriptor = reader_->descriptor()};
    case BenchOutputPlan::Kind::kNull:
      break;
  }
  return {.path = "/dev/null"};
}

std::string BenchOutput::path() const {
  const Output out = output();
  if (!out.path.empty()) return out.path;
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(out.descriptor);
}

uint64_t BenchOutput::Finish() {
  if (reader_ == nullptr) return 0;
  reader_->Finish();
  return reader_->stalls();
}

}  // namespace stillframe::evaluate
