#include "save/replaceable_sink.h"

namespace stillframe {

void ReplaceableSink::Replace(std::unique_ptr<PageSink> sink) {
  if (sink && pacer_) sink->SetPacer(pacer_, largest_);
  {
    const std::lock_guard lock(mutex_);
    sink_.swap(sink);
  }
  // The old one goes without the lock: it may have a file to remove.
}

void ReplaceableSink::Interrupt() {
  const std::lock_guard lock(mutex_);
  if (sink_) sink_->Interrupt();
}

void ReplaceableSink::SetPacer(std::function<Result<void>(Bytes)> pacer, Bytes largest) {
  pacer_ = std::move(pacer);
  largest_ = largest;
  if (sink_) sink_->SetPacer(pacer_, largest_);
}

SinkCounters ReplaceableSink::counters() const {
  const std::lock_guard lock(mutex_);
  return sink_ ? sink_->counters() : SinkCounters{};
}

}  // namespace stillframe
