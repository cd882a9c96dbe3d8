// An ELF core in a regular file, written while the target runs.
#ifndef STILLFRAME_PEER_CORE_CORE_WRITER_H_
#define STILLFRAME_PEER_CORE_CORE_WRITER_H_

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
#include "peer/core/core_pages.h"
#include "peer/core/core_segments.h"
#include "peer/core/elf_headers.h"
#include "stillframe/page_sink.h"
#include "store/placed_store.h"

namespace stillframe {

// Pages go to their place in the file as they come; the rest is written by Finish:
//
//     ELF header | program headers, and room for more | memory | notes | what is below
//
// The program headers stand behind the notes where there are more than there is room for, and
// behind them a section header where there are so many that it has to count them.
//
// Thread rule: as PageSink.
class CoreWriter final : public PageSink {
 public:
  // `memory`: see CoreOptions.
  CoreWriter(std::unique_ptr<PlacedStore> store, Bytes memory)
      : store_(std::move(store)), pages_(*store_, pacing_, memory) {}

  Result<void> Write(TargetAddress address, std::span<const std::byte> pages,
                     PageSource source) override;
  Result<void> Zero(AddressRange range) override;
  Result<void> Lost(AddressRange range, std::string_view reason) override;
  Result<void> Finish(const ImageMetadata& metadata) override;
  void Interrupt() override { store_->Interrupt(); }
  Result<void> AllowRepeats() override;
  Result<void> Expect(const ImageMetadata& metadata, Expectation expectation) override;
  void SetPacer(std::function<Result<void>(Bytes)> pacer, Bytes largest) override {
    pacing_.Set(std::move(pacer), largest);
  }
  // `written` is all that went out until the core is complete, and then what stands in it: pages
  // that came again, or that were moved, are in the file once.
  SinkCounters counters() const override;

 private:
  // That nothing went wrong before, and that `bytes` from `address` on are whole pages.
  Result<void> Check(TargetAddress address, uint64_t bytes) const;
  // Keeps an error: the file is of no use after it.
  Result<void> Keep(Result<void> result);
  Result<void> Complete(const ImageMetadata& metadata);
  Result<void> WriteHeaders(std::span<const CoreSegment> segments,
                            std::span<const std::byte> notes);
  Result<void> WriteAt(uint64_t offset, std::span<const std::byte> bytes);

  const std::unique_ptr<PlacedStore> store_;
  Pacing pacing_;
  CorePages pages_;
  uint64_t described_ = 0;                   // bytes of headers and notes
  std::atomic<uint64_t> complete_size_ = 0;  // without holes; 0 until it is complete
  bool finished_ = false;
  std::optional<Error> failed_;
};

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_CORE_WRITER_H_
