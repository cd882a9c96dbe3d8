// An ELF core written front to back, like a pipe.
#ifndef STILLFRAME_PEER_CORE_CORE_STREAM_H_
#define STILLFRAME_PEER_CORE_CORE_STREAM_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "image/pacing.h"
#include "peer/core/core_layout.h"
#include "peer/core/core_segments.h"
#include "peer/core/page_counts.h"
#include "stillframe/page_sink.h"
#include "store/store.h"

namespace stillframe {

// Headers and notes go out as soon as all is settled, so what they say can't change any more:
//
//     ELF header | program headers | section header, if needed | notes | memory by address
//
// Pages have to come by rising address, none left out. Zeros go out as zeros; so do lost pages, of
// which the program headers say that they are not there.
//
// Thread rule: as PageSink.
class CoreStream final : public PageSink {
 public:
  // `lost`: see CoreOptions.
  CoreStream(std::unique_ptr<Store> store, std::vector<RangeReason> lost);

  // kInternal besides for pages out of order, or lost ones that were not announced.
  Result<void> Write(TargetAddress address, std::span<const std::byte> pages,
                     PageSource source) override;
  Result<void> Zero(AddressRange range) override;
  Result<void> Lost(AddressRange range, std::string_view reason) override;
  Result<void> Finish(const ImageMetadata& metadata) override;
  void Interrupt() override { store_->Interrupt(); }
  Result<void> Expect(const ImageMetadata& metadata, Expectation expectation) override;
  bool needs_order() const override { return true; }
  void SetPacer(std::function<Result<void>(Bytes)> pacer, Bytes largest) override {
    pacing_.Set(std::move(pacer), largest);
  }
  SinkCounters counters() const override {
    return counts_.WithWritten({appended_.load(std::memory_order_relaxed)});
  }

 private:
  Result<void> Check(TargetAddress address, uint64_t bytes) const;
  Result<void> Keep(Result<void> result);
  // That `range` was announced as lost, or that nothing of it was.
  Result<void> CheckLost(AddressRange range, bool lost) const;
  Result<void> SendHeaders(const ImageMetadata& metadata);
  // That `range` is what comes next.
  Result<void> Take(AddressRange range);
  Result<void> Complete(const ImageMetadata& metadata);

  // Small writes are gathered, since pages of zeros and others may alternate.
  Result<void> Append(std::span<const std::byte> bytes);
  Result<void> AppendZeros(uint64_t bytes);
  Result<void> Flush();
  // To the store, at the pace.
  Result<void> Send(std::span<const std::byte> bytes);

  const std::unique_ptr<Store> store_;
  std::vector<RangeReason> announced_;
  std::vector<AddressRange> lost_;  // the same by address, joined where they can be
  Pacing pacing_;
  std::optional<CoreLayout> layout_;
  size_t place_ = 0;  // of the layout's places; the next page is of it
  TargetAddress next_;
  std::vector<std::byte> gathered_;
  PageCounts counts_;
  std::atomic<uint64_t> appended_ = 0;
  bool finished_ = false;
  std::optional<Error> failed_;
};

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_CORE_STREAM_H_
