#include "save/output_pacer.h"

#include <algorithm>

namespace stillframe {
namespace {

Bytes LargestFor(Bytes rate) {
  if (rate.count == 0) return MiB(1);
  return std::clamp(ToBytes(ToPages(rate / 20)), kPageSize, MiB(1));
}

}  // namespace

OutputPacer::OutputPacer(Bytes rate, const Clock& clock)
    : clock_(clock), largest_write_(LargestFor(rate)) {
  // What an idle moment saves up is small, or the next two seconds would carry more than their
  // share.
  if (rate.count > 0) bucket_.emplace(rate, rate / 50, clock.Now());
}

Result<void> OutputPacer::Before(Bytes bytes) {
  if (bucket_) {
    for (;;) {
      const Duration wait = bucket_->TimeUntilReady(clock_.Now());
      if (wait.count() == 0 || interrupted_.load(std::memory_order_acquire)) break;
      interrupt_.Wait(wait);
    }
    bucket_->Spend(bytes, clock_.Now());
  }
  if (interrupted_.load(std::memory_order_acquire)) {
    return Fail(ErrorCode::kInterrupted, "interrupted while waiting for bandwidth");
  }
  return {};
}

void OutputPacer::Interrupt() {
  interrupted_.store(true, std::memory_order_release);
  interrupt_.Notify();
}

}  // namespace stillframe
