// Writes an image front to back: header, blocks of pages as they come, and at the end all that is
// known about them.
#ifndef STILLFRAME_IMAGE_IMAGE_WRITER_H_
#define STILLFRAME_IMAGE_IMAGE_WRITER_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "image/encode_line.h"
#include "image/gathered_output.h"
#include "image/index_builder.h"
#include "image/parent_pages.h"
#include "image/wire.h"
#include "stillframe/image.h"
#include "stillframe/page_sink.h"
#include "store/store.h"

namespace stillframe {

// What makes two images of the same memory differ.
struct ImageIdentity {
  std::array<uint8_t, 16> id = {};
  uint64_t created_unix_ns = 0;
};

// What CreateImage asks of it, and what only we do.
struct ImageWriterOptions {
  ImageOptions image = {};
  // How the image will find its parent: absolute, or from its own directory.
  std::string parent_path = {};
  std::vector<WireImageName> stands_for = {};
};

// Thread rule: as PageSink.
class ImageWriter final : public PageSink {
 public:
  // Writes the header. Errors: as Store::Append and CreateImage.
  static Result<std::unique_ptr<PageSink>> Create(std::unique_ptr<Store> store,
                                                  const ImageIdentity& identity,
                                                  ImageWriterOptions options = {});

  Result<void> Write(TargetAddress address, std::span<const std::byte> pages,
                     PageSource source) override;
  Result<void> Zero(AddressRange range) override;
  Result<void> Lost(AddressRange range, std::string_view reason) override;
  Result<void> InParent(AddressRange range) override;
  Result<void> Finish(const ImageMetadata& metadata) override;
  void Interrupt() override { output_.Interrupt(); }
  Result<void> AllowRepeats() override;
  void SetPacer(std::function<Result<void>(Bytes)> pacer, Bytes largest) override {
    output_.SetPacer(std::move(pacer), largest);
  }
  SinkCounters counters() const override;

 private:
  ImageWriter(std::unique_ptr<Store> store, const ImageIdentity& identity,
              ImageWriterOptions options);

  // Where pages have to be encoded, or held against a parent.
  Result<void> OpenLine();
  Result<void> WriteHeader();
  // What an image can hold, and the first error that made it useless.
  Result<void> CheckRange(TargetAddress address, uint64_t bytes) const;
  // Raw, without a copy.
  Result<void> WriteRaw(TargetAddress address, std::span<const std::byte> pages, PageSource source);
  void IndexRaw(TargetAddress address, std::span<const std::byte> block, PageSource source);
  Result<void> TakeJob(const BlockJob& job);
  void AddInParent(const ImageRun& run);
  Result<void> AppendTail(const ImageMetadata& metadata);
  // Counts what holds in place of what was told.
  void CountAnew();
  uint32_t version() const;
  // Whether a hash of each page is needed.
  bool hashes() const { return options_.image.hashes || index_.repeats(); }
  // How many pages from `pages` on, of which the first is zero or not, form one range or block.
  static size_t RunLength(std::span<const std::byte> pages, bool zero);

  GatheredOutput output_;
  const ImageIdentity identity_;
  const ImageWriterOptions options_;
  std::optional<ParentPages> parent_;
  std::unique_ptr<EncodeLine> line_;  // null: raw
  IndexBuilder index_;
  uint64_t turn_ = 0;         // of what is told
  uint64_t next_offset_ = 0;  // where the next byte goes, gathered ones included
  bool finished_ = false;
  std::optional<Error> failed_;  // of what is not the output's

  std::atomic<uint64_t> zero_ = 0;
  std::atomic<uint64_t> lost_ = 0;
  std::atomic<uint64_t> in_parent_ = 0;
  std::atomic<uint64_t> encoded_from_ = 0;
  std::atomic<uint64_t> encoded_to_ = 0;
  std::array<std::atomic<uint64_t>, 4> by_source_ = {};  // PageSource is the place
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_WRITER_H_
