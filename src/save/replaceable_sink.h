// A sink that hands all on to another one, which can be replaced by the next.
#ifndef STILLFRAME_SAVE_REPLACEABLE_SINK_H_
#define STILLFRAME_SAVE_REPLACEABLE_SINK_H_

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

// So that what writes to a sink can outlive it: one image after the other.
//
// Thread rule: as PageSink; Replace between two uses. Interrupt and counters from any thread, at
// any time; unlike others' this Interrupt takes a lock.
class ReplaceableSink final : public PageSink {
 public:
  // `sink` may be null: nothing must be told then.
  void Replace(std::unique_ptr<PageSink> sink);

  Result<void> Write(TargetAddress address, std::span<const std::byte> pages,
                     PageSource source) override {
    return sink_->Write(address, pages, source);
  }
  Result<void> Zero(AddressRange range) override { return sink_->Zero(range); }
  Result<void> Lost(AddressRange range, std::string_view reason) override {
    return sink_->Lost(range, reason);
  }
  Result<void> InParent(AddressRange range) override { return sink_->InParent(range); }
  Result<void> Finish(const ImageMetadata& metadata) override { return sink_->Finish(metadata); }
  void Interrupt() override;
  Result<void> AllowRepeats() override { return sink_->AllowRepeats(); }
  Result<void> Expect(const ImageMetadata& metadata, Expectation expectation) override {
    return sink_->Expect(metadata, expectation);
  }
  void SetPacer(std::function<Result<void>(Bytes)> pacer, Bytes largest) override;
  SinkCounters counters() const override;

 private:
  std::function<Result<void>(Bytes)> pacer_;
  Bytes largest_;
  mutable std::mutex mutex_;  // of the pointer, against Interrupt and counters
  std::unique_ptr<PageSink> sink_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_REPLACEABLE_SINK_H_
