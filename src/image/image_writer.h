// Writes an image front to back: header, blocks of pages as they come, and at the end all that is
// known about them.
#ifndef STILLFRAME_IMAGE_IMAGE_WRITER_H_
#define STILLFRAME_IMAGE_IMAGE_WRITER_H_

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "image/index_builder.h"
#include "image/wire.h"
#include "stillframe/page_sink.h"
#include "store/store.h"

namespace stillframe {

// What makes two images of the same memory differ.
struct ImageIdentity {
  std::array<uint8_t, 16> id = {};
  uint64_t created_unix_ns = 0;
};

// Thread rule: as PageSink.
class ImageWriter final : public PageSink {
 public:
  // Writes the header. Errors: as Store::Append.
  static Result<std::unique_ptr<PageSink>> Create(std::unique_ptr<Store> store,
                                                  const ImageIdentity& identity);

  Result<void> Write(TargetAddress address, std::span<const std::byte> pages,
                     PageSource source) override;
  Result<void> Zero(AddressRange range) override;
  Result<void> Lost(AddressRange range, std::string_view reason) override;
  Result<void> Finish(const ImageMetadata& metadata) override;
  void Interrupt() override { store_->Interrupt(); }
  Result<void> AllowRepeats() override;
  void SetPacer(std::function<Result<void>(Bytes)> pacer, Bytes largest) override;
  SinkCounters counters() const override;

 private:
  ImageWriter(std::unique_ptr<Store> store, const ImageIdentity& identity);

  // What an image can hold, and the first error that made it useless.
  Result<void> CheckRange(TargetAddress address, uint64_t bytes) const;
  // Small writes are gathered: faulted pages come one by one, and a system call each is dearer than
  // a copy.
  Result<void> Append(std::span<const iovec> parts);
  Result<void> Flush();
  // To the store, at the pace.
  Result<void> Send(std::span<const iovec> parts);
  Result<void> AppendSection(SectionType type, std::span<const std::byte> bytes);
  Result<void> AppendSections(const ImageMetadata& metadata);
  // Counts what holds in place of what was told.
  void CountAnew();
  Result<void> AppendTrailer();
  // How many pages from `pages` on, of which the first is zero or not, form one range or block.
  static size_t RunLength(std::span<const std::byte> pages, bool zero);

  const std::unique_ptr<Store> store_;
  const ImageIdentity identity_;
  IndexBuilder index_;
  std::vector<WireSection> table_;
  std::function<Result<void>(Bytes)> pacer_;
  Bytes largest_send_;
  std::vector<std::byte> gathered_;
  uint64_t next_offset_ = 0;  // where the next byte goes, gathered ones included
  bool finished_ = false;
  std::optional<Error> failed_;

  std::atomic<uint64_t> appended_ = 0;
  std::atomic<uint64_t> zero_ = 0;
  std::atomic<uint64_t> lost_ = 0;
  std::array<std::atomic<uint64_t>, 4> by_source_ = {};  // PageSource is the place
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_WRITER_H_
