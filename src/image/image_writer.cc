#include "image/image_writer.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "image/checksum.h"
#include "image/coverage.h"
#include "image/image_tail.h"
#include "image/metadata_encoder.h"
#include "image/page_hash.h"
#include "image/zero_scan.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
// What has to be decoded to read one page of it: 9 us with LZ4. 64 KiB take 20 us and get 3 to 5%
// smaller, 16 KiB take 5 us and get as much larger.
constexpr Pages kEncodedBlock{8};

// Of a parent, whose runs are asked for.
constexpr Bytes kRunsAtOnce = MiB(64);

// The blocks of one Write on their way to one writev. Blocks that lie side by side in memory are
// one buffer.
class Gather {
 public:
  // False when there is no room for another buffer.
  bool Add(std::span<const std::byte> bytes) {
    if (count_ > 0) {
      iovec& last = parts_[count_ - 1];
      if (static_cast<const std::byte*>(last.iov_base) + last.iov_len == bytes.data()) {
        last.iov_len += bytes.size();
        return true;
      }
    }
    if (count_ == parts_.size()) return false;
    parts_[count_++] = BufferOf(bytes);
    return true;
  }
  std::span<const iovec> parts() const { return {parts_.data(), count_}; }
  void Clear() { count_ = 0; }

 private:
  std::array<iovec, 64> parts_;
  size_t count_ = 0;
};

WireImageName NameOf(const ImageReader& image) {
  const ChainFile& file = image.chain().front();
  return {.id = file.id, .index_checksum = file.index_checksum};
}

}  // namespace

Result<std::unique_ptr<PageSink>> ImageWriter::Create(std::unique_ptr<Store> store,
                                                      const ImageIdentity& identity,
                                                      ImageWriterOptions options) {
  std::unique_ptr<ImageWriter> writer(
      new ImageWriter(std::move(store), identity, std::move(options)));
  STILLFRAME_TRY(writer->OpenLine());
  STILLFRAME_TRY(writer->WriteHeader());
  return std::unique_ptr<PageSink>(std::move(writer));
}

ImageWriter::ImageWriter(std::unique_ptr<Store> store, const ImageIdentity& identity,
                         ImageWriterOptions options)
    : output_(std::move(store)),
      identity_(identity),
      options_(std::move(options)),
      index_(version()) {}

uint32_t ImageWriter::version() const {
  const ImageOptions& image = options_.image;
  const bool plain = image.compression.codec == Codec::kNone && image.parent == nullptr;
  return plain ? kPlainVersion : kFormatVersion;
}

Result<void> ImageWriter::OpenLine() {
  const ImageOptions& image = options_.image;
  if (image.parent) {
    STILLFRAME_ASSIGN(parent_, ParentPages::Create(image.parent, image.compare));
  }
  if (version() == kPlainVersion) return {};
  const bool raw = image.compression.codec == Codec::kNone;
  STILLFRAME_ASSIGN(line_,
                    EncodeLine::Create({.block = raw ? Pages{kMaxBlockPages} : kEncodedBlock,
                                        .compression = image.compression,
                                        .parent = parent_ ? &*parent_ : nullptr,
                                        .workers = image.workers},
                                       [this](const BlockJob& job) { return TakeJob(job); }));
  return {};
}

Result<void> ImageWriter::WriteHeader() {
  WireHeader header{.magic = kHeaderMagic,
                    .version = version(),
                    .header_size = kHeaderSize,
                    .id = identity_.id,
                    .page_size = kPage,
                    .reserved = 0,
                    .created_unix_ns = identity_.created_unix_ns,
                    .checksum = 0};
  header.checksum = ChecksumBeforeLast(header);
  constexpr std::array<std::byte, kHeaderSize - sizeof(WireHeader)> kPadding{};
  const std::array parts{BufferOf(std::span<const WireHeader>(&header, 1)),
                         BufferOf(std::span<const std::byte>(kPadding))};
  STILLFRAME_TRY(output_.Append(parts));
  STILLFRAME_TRY(output_.Flush());  // an output that can't be written is known at once
  next_offset_ = kHeaderSize;
  return {};
}

Result<void> ImageWriter::CheckRange(TargetAddress address, uint64_t bytes) const {
  if (output_.failed()) return tl::unexpected(*output_.failed());
  if (failed_) return tl::unexpected(*failed_);
  if (finished_) return Fail(ErrorCode::kInternal, "the image is finished already");
  if (address.value % kPage != 0 || bytes % kPage != 0 ||
      bytes > std::numeric_limits<uint64_t>::max() - address.value) {
    return Fail(ErrorCode::kInternal,
                "the range at " + Hex(address.value) + " is not of whole pages");
  }
  return {};
}

size_t ImageWriter::RunLength(std::span<const std::byte> pages, bool zero) {
  const size_t count = pages.size() / kPage;
  const size_t limit = zero ? count : std::min<size_t>(count, kMaxBlockPages);
  size_t length = 1;
  while (length < limit && IsZeroPage(pages.data() + length * kPage) == zero) ++length;
  return length;
}

Result<void> ImageWriter::Write(TargetAddress address, std::span<const std::byte> pages,
                                PageSource source) {
  STILLFRAME_TRY(CheckRange(address, pages.size()));
  ++turn_;
  if (!line_) return WriteRaw(address, pages, source);
  const Result<void> added = line_->Add(turn_, address, pages, source);
  if (!added) failed_ = added.error();
  return added;
}

Result<void> ImageWriter::WriteRaw(TargetAddress address, std::span<const std::byte> pages,
                                   PageSource source) {
  Gather gather;
  uint64_t zeros = 0;
  uint64_t written = 0;
  for (size_t at = 0; at < pages.size();) {
    const TargetAddress begin = address + Bytes{at};
    const bool zero = IsZeroPage(pages.data() + at);
    const size_t length = RunLength(pages.subspan(at), zero);
    const auto block = pages.subspan(at, length * kPage);
    at += block.size();
    if (zero) {
      index_.AddZero(turn_, {begin, begin + Bytes{block.size()}});
      zeros += length;
      continue;
    }
    if (!gather.Add(block)) {
      STILLFRAME_TRY(output_.Append(gather.parts()));
      gather.Clear();
      gather.Add(block);
    }
    IndexRaw(begin, block, source);
    written += length;
  }
  if (!gather.parts().empty()) STILLFRAME_TRY(output_.Append(gather.parts()));
  zero_.fetch_add(zeros, std::memory_order_relaxed);
  by_source_[static_cast<size_t>(source)].fetch_add(written, std::memory_order_relaxed);
  return {};
}

void ImageWriter::IndexRaw(TargetAddress address, std::span<const std::byte> block,
                           PageSource source) {
  std::array<PageHash, kMaxBlockPages> of_pages;
  const size_t pages = block.size() / kPage;
  const size_t hashed = hashes() ? pages : 0;
  for (size_t i = 0; i < hashed; ++i) of_pages[i] = HashPage(block.subspan(i * kPage, kPage));
  index_.AddData(turn_, {address, address + Bytes{block.size()}}, source,
                 {.file_offset = next_offset_,
                  .stored_bytes = block.size(),
                  .checksum = hashed == 1 ? of_pages.front().low : Checksum(block)},
                 std::span(of_pages).first(hashed));
  next_offset_ += block.size();
}

Result<void> ImageWriter::TakeJob(const BlockJob& job) {
  for (const BlockPart& part : job.parts()) {
    const uint64_t pages = part.range.pages().count;
    if (part.kind == WireKind::kZero) {
      index_.AddZero(part.turn, part.range);
      zero_.fetch_add(pages, std::memory_order_relaxed);
      continue;
    }
    if (part.kind == WireKind::kInParent) {
      index_.AddInParent(part.turn, part.range);
      in_parent_.fetch_add(pages, std::memory_order_relaxed);
      continue;
    }
    index_.AddData(part.turn, part.range, part.source,
                   {.file_offset = next_offset_,
                    .stored_bytes = part.stored.size(),
                    .checksum = part.checksum,
                    .encoding = part.encoding},
                   part.hashes.first(hashes() ? part.hashes.size() : 0));
    next_offset_ += part.stored.size();
    STILLFRAME_TRY(output_.Append(part.stored));
    by_source_[static_cast<size_t>(part.source)].fetch_add(pages, std::memory_order_relaxed);
    encoded_from_.fetch_add(part.range.size().count, std::memory_order_relaxed);
    encoded_to_.fetch_add(part.stored.size(), std::memory_order_relaxed);
  }
  return {};
}

Result<void> ImageWriter::Zero(AddressRange range) {
  if (range.empty()) return {};
  STILLFRAME_TRY(CheckRange(range.begin, range.size().count));
  index_.AddZero(++turn_, range);
  zero_.fetch_add(range.pages().count, std::memory_order_relaxed);
  return {};
}

Result<void> ImageWriter::Lost(AddressRange range, std::string_view reason) {
  if (range.empty()) return {};
  STILLFRAME_TRY(CheckRange(range.begin, range.size().count));
  STILLFRAME_TRY(index_.AddLost(++turn_, range, reason));
  lost_.fetch_add(range.pages().count, std::memory_order_relaxed);
  return {};
}

Result<void> ImageWriter::InParent(AddressRange range) {
  if (!parent_) return PageSink::InParent(range);
  if (range.empty()) return {};
  STILLFRAME_TRY(CheckRange(range.begin, range.size().count));
  ++turn_;
  // Piece by piece: of a long chain the runs of all memory would be as long a list as its index.
  for (TargetAddress at = range.begin; at < range.end;) {
    const TargetAddress end = at + std::min(kRunsAtOnce, range.end - at);
    for (const ImageRun& run : parent_->image().Runs({at, end})) AddInParent(run);
    at = end;
  }
  return {};
}

void ImageWriter::AddInParent(const ImageRun& run) {
  const uint64_t pages = run.range.pages().count;
  if (run.kind == PageKind::kZero) {
    index_.AddZero(turn_, run.range);
    zero_.fetch_add(pages, std::memory_order_relaxed);
  } else if (run.kind == PageKind::kData) {
    index_.AddInParent(turn_, run.range);
    in_parent_.fetch_add(pages, std::memory_order_relaxed);
  }
}

Result<void> ImageWriter::Finish(const ImageMetadata& metadata) {
  STILLFRAME_TRY(CheckRange({}, 0));
  finished_ = true;
  if (parent_) {
    STILLFRAME_TRY(CheckParent(parent_->image(), metadata.process, options_.image.any_process));
  }
  if (line_) STILLFRAME_TRY(line_->Drain());
  STILLFRAME_TRY(index_.Seal(metadata.mappings));
  CountAnew();
  STILLFRAME_TRY(AppendTail(metadata));
  return output_.Publish();
}

Result<void> ImageWriter::AllowRepeats() {
  if (turn_ != 0) {
    return Fail(ErrorCode::kInternal, "the image holds pages already");
  }
  index_.AllowRepeats();
  return {};
}

void ImageWriter::CountAnew() {
  uint64_t zero = 0;
  uint64_t lost = 0;
  uint64_t in_parent = 0;
  std::array<uint64_t, 4> by_source{};
  for (const WireIndexEntry& entry : index_.entries()) {
    switch (static_cast<WireKind>(entry.kind)) {
      case WireKind::kZero:
        zero += entry.pages;
        break;
      case WireKind::kLost:
        lost += entry.pages;
        break;
      case WireKind::kInParent:
        in_parent += entry.pages;
        break;
      case WireKind::kData:
        by_source[entry.source] += entry.pages;
        break;
    }
  }
  zero_.store(zero, std::memory_order_relaxed);
  lost_.store(lost, std::memory_order_relaxed);
  in_parent_.store(in_parent, std::memory_order_relaxed);
  for (size_t i = 0; i < by_source.size(); ++i) {
    by_source_[i].store(by_source[i], std::memory_order_relaxed);
  }
}

Result<void> ImageWriter::AppendTail(const ImageMetadata& metadata) {
  ImageTail tail(output_, next_offset_);
  STILLFRAME_TRY(tail.AppendMetadata(metadata));
  STILLFRAME_TRY(tail.Append(SectionType::kReasons, EncodeReasons(index_.reasons())));
  if (!index_.superseded().empty()) {
    STILLFRAME_TRY(tail.Append(SectionType::kSuperseded, std::as_bytes(index_.superseded())));
  }
  if (parent_) {
    STILLFRAME_TRY(tail.Append(SectionType::kParent,
                               EncodeParent(NameOf(parent_->image()), options_.parent_path)));
  }
  if (!options_.stands_for.empty()) {
    STILLFRAME_TRY(tail.Append(SectionType::kStandsFor,
                               std::as_bytes(std::span(options_.stands_for)), kSectionOptional));
  }
  if (options_.image.hashes) STILLFRAME_TRY(tail.AppendHashes(index_));
  STILLFRAME_TRY(tail.Append(SectionType::kIndex, std::as_bytes(index_.entries())));
  return tail.AppendTrailer(identity_.id);
}

SinkCounters ImageWriter::counters() const {
  const auto saved_by = [this](PageSource source) {
    return Pages{by_source_[static_cast<size_t>(source)].load(std::memory_order_relaxed)};
  };
  return {.zero = {zero_.load(std::memory_order_relaxed)},
          .scanned = saved_by(PageSource::kScanned),
          .faulted = saved_by(PageSource::kFaulted),
          .paused = saved_by(PageSource::kPaused),
          .lost = {lost_.load(std::memory_order_relaxed)},
          .in_parent = {in_parent_.load(std::memory_order_relaxed)},
          .written = output_.appended(),
          .encoded_from = {encoded_from_.load(std::memory_order_relaxed)},
          .encoded_to = {encoded_to_.load(std::memory_order_relaxed)}};
}

}  // namespace stillframe
