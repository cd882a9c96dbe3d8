#include "control_saver.h"

#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "support/machine.h"

namespace stillframe::bench {
namespace {

constexpr Duration kStopTimeout = std::chrono::milliseconds(100);

}  // namespace

ControlSaver::ControlSaver(pid_t pid, AddressRange range, int output, Bytes bandwidth)
    : range_(range),
      output_(output),
      target_(OrDie("attaching", AttachProcess(pid))),
      channel_(OrDie("connecting", FaultChannel::Connect(target_->userfaultfd()))),
      saved_(range.pages()),
      bucket_(bandwidth, bandwidth / 50, MonotonicClock().Now()),
      buffer_(ToBytes(kRun).count) {}

ControlSaver::Times ControlSaver::Run() {
  const Clock& clock = MonotonicClock();
  Times times;
  times.began = clock.Now();
  ArmInPause(&times);
  while (next_.value < saved_.size().count) {
    const Duration wait = bucket_.TimeUntilReady(clock.Now());
    ServeFaults(wait, &times);
    if (bucket_.TimeUntilReady(clock.Now()).count() == 0) PushRun();
  }
  ServeFaults(Duration(0), &times);
  channel_->Unregister(range_);
  times.ended = clock.Now();
  return times;
}

void ControlSaver::ArmInPause(Times* times) {
  OrDie("pausing", target_->Pause(kStopTimeout));
  if (channel_->Register(range_) != RegisterOutcome::kDone) Die("registering");
  OrDie("arming", channel_->Arm(range_));
  times->instant = MonotonicClock().Now();
  OrDie("resuming", target_->Resume());
  times->pause = target_->PauseDuration();
}

void ControlSaver::ServeFaults(Duration timeout, Times* times) {
  const timespec limit{.tv_sec = timeout.count() / 1'000'000'000,
                       .tv_nsec = timeout.count() % 1'000'000'000};
  pollfd entry{.fd = channel_->descriptor(), .events = POLLIN, .revents = 0};
  if (ppoll(&entry, 1, &limit, nullptr) <= 0) return;
  const FaultMessages messages = channel_->Read(FaultMessages::kMost);
  for (size_t i = 0; i < messages.fault_count; ++i) {
    const Bytes into = messages.faults[i].address - range_.begin;
    const PageRun page{PageIndex{ToPages(into).count}, Pages{1}};
    if (saved_.TestAndSet(page.first)) {
      Save(page);
      ++times->faulted;
    } else {
      const TargetAddress begin = range_.begin + ToBytes(Pages{page.first.value});
      channel_->Wake({begin, begin + kPageSize});
    }
  }
}

void ControlSaver::PushRun() {
  const PageRun left{next_, saved_.size() - Pages{next_.value}};
  PageRun run = saved_.NextClear(left);
  next_ = run.end();
  if (run.empty()) return;
  run.count = std::min(run.count, kRun);
  next_ = run.end();
  saved_.SetRun(run);
  Save(run);
}

void ControlSaver::Save(PageRun run) {
  const Bytes size = ToBytes(run.count);
  const TargetAddress begin = range_.begin + ToBytes(Pages{run.first.value});
  const iovec to{.iov_base = buffer_.data(), .iov_len = size.count};
  if (target_->Read(begin, {&to, 1}).copied != size) Die("reading the target");
  bucket_.Spend(size, MonotonicClock().Now());
  Write(std::span(buffer_).first(size.count));
  channel_->Open({begin, begin + size});
}

void ControlSaver::Write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(output_, bytes.data(), bytes.size());
    if (n < 0) Die("writing");
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

}  // namespace stillframe::bench
