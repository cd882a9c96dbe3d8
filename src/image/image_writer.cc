#include "image/image_writer.h"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <utility>

#include "image/checksum.h"
#include "image/coverage.h"
#include "image/metadata_encoder.h"
#include "image/zero_scan.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr uint64_t kGatherBytes = 256 * 1024;

template <class T>
iovec BufferOf(std::span<const T> bytes) {
  // writev only reads, but iovec knows no const.
  return {.iov_base = const_cast<T*>(bytes.data()), .iov_len = bytes.size_bytes()};
}

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

Result<ImageIdentity> NewIdentity() {
  ImageIdentity identity;
  if (getrandom(identity.id.data(), identity.id.size(), 0) !=
      static_cast<ssize_t>(identity.id.size())) {
    return FailErrno(errno, "getting random bytes for the image's id");
  }
  identity.created_unix_ns = static_cast<uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
  return identity;
}

}  // namespace

Result<std::unique_ptr<PageSink>> CreateImage(const Output& output) {
  STILLFRAME_ASSIGN(const ImageIdentity identity, NewIdentity());
  STILLFRAME_ASSIGN(std::unique_ptr<Store> store, OpenStore(output));
  return ImageWriter::Create(std::move(store), identity);
}

Result<std::unique_ptr<PageSink>> ImageWriter::Create(std::unique_ptr<Store> store,
                                                      const ImageIdentity& identity) {
  std::unique_ptr<ImageWriter> writer(new ImageWriter(std::move(store), identity));
  WireHeader header{.magic = kHeaderMagic,
                    .version = kFormatVersion,
                    .header_size = kHeaderSize,
                    .id = identity.id,
                    .page_size = kPage,
                    .reserved = 0,
                    .created_unix_ns = identity.created_unix_ns,
                    .checksum = 0};
  header.checksum = ChecksumBeforeLast(header);
  constexpr std::array<std::byte, kHeaderSize - sizeof(WireHeader)> kPadding{};
  const std::array parts{BufferOf(std::span<const WireHeader>(&header, 1)),
                         BufferOf(std::span<const std::byte>(kPadding))};
  STILLFRAME_TRY(writer->Append(parts));
  STILLFRAME_TRY(writer->Flush());  // an output that can't be written is known at once
  writer->next_offset_ = kHeaderSize;
  return std::unique_ptr<PageSink>(std::move(writer));
}

ImageWriter::ImageWriter(std::unique_ptr<Store> store, const ImageIdentity& identity)
    : store_(std::move(store)), identity_(identity) {
  gathered_.reserve(kGatherBytes);
}

void ImageWriter::SetPacer(std::function<Result<void>(Bytes)> pacer, Bytes largest) {
  pacer_ = std::move(pacer);
  largest_send_ = std::max(largest, kPageSize);  // a piece of nothing would never end
}

Result<void> ImageWriter::CheckRange(TargetAddress address, uint64_t bytes) const {
  if (failed_) return tl::unexpected(*failed_);
  if (finished_) return Fail(ErrorCode::kInternal, "the image is finished already");
  if (address.value % kPage != 0 || bytes % kPage != 0 ||
      bytes > std::numeric_limits<uint64_t>::max() - address.value) {
    return Fail(ErrorCode::kInternal,
                "the range at " + Hex(address.value) + " is not of whole pages");
  }
  return {};
}

Result<void> ImageWriter::Append(std::span<const iovec> parts) {
  uint64_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  appended_.fetch_add(bytes, std::memory_order_relaxed);
  // What would not gain by being gathered goes out as it is, behind what was gathered before it.
  const bool large = bytes > kGatherBytes / 2;
  if (large || gathered_.size() + bytes > kGatherBytes) STILLFRAME_TRY(Flush());
  if (large) return Send(parts);
  for (const iovec& part : parts) {
    const auto* begin = static_cast<const std::byte*>(part.iov_base);
    gathered_.insert(gathered_.end(), begin, begin + part.iov_len);
  }
  return {};
}

Result<void> ImageWriter::Flush() {
  if (gathered_.empty()) return {};
  const iovec part = BufferOf(std::span<const std::byte>(gathered_));
  STILLFRAME_TRY(Send({&part, 1}));
  gathered_.clear();
  return {};
}

Result<void> ImageWriter::Send(std::span<const iovec> parts) {
  Result<void> result;
  if (!pacer_) {
    result = store_->Append(parts);
  } else {
    for (const iovec& part : parts) {
      for (size_t at = 0; at < part.iov_len && result;) {
        const size_t size = std::min<size_t>(part.iov_len - at, largest_send_.count);
        const iovec piece{.iov_base = static_cast<std::byte*>(part.iov_base) + at, .iov_len = size};
        result = pacer_(Bytes{size});
        if (result) result = store_->Append({&piece, 1});
        at += size;
      }
    }
  }
  if (!result) failed_ = result.error();
  return result;
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
      index_.AddZero({begin, begin + Bytes{block.size()}});
      zeros += length;
      continue;
    }
    if (!gather.Add(block)) {
      STILLFRAME_TRY(Append(gather.parts()));
      gather.Clear();
      gather.Add(block);
    }
    index_.AddData(begin, block, next_offset_, source);
    next_offset_ += block.size();
    written += length;
  }
  if (!gather.parts().empty()) STILLFRAME_TRY(Append(gather.parts()));
  zero_.fetch_add(zeros, std::memory_order_relaxed);
  by_source_[static_cast<size_t>(source)].fetch_add(written, std::memory_order_relaxed);
  return {};
}

Result<void> ImageWriter::Zero(AddressRange range) {
  if (range.empty()) return {};
  STILLFRAME_TRY(CheckRange(range.begin, range.size().count));
  index_.AddZero(range);
  zero_.fetch_add(range.pages().count, std::memory_order_relaxed);
  return {};
}

Result<void> ImageWriter::Lost(AddressRange range, std::string_view reason) {
  if (range.empty()) return {};
  STILLFRAME_TRY(CheckRange(range.begin, range.size().count));
  STILLFRAME_TRY(index_.AddLost(range, reason));
  lost_.fetch_add(range.pages().count, std::memory_order_relaxed);
  return {};
}

Result<void> ImageWriter::Finish(const ImageMetadata& metadata) {
  STILLFRAME_TRY(CheckRange({}, 0));
  finished_ = true;
  STILLFRAME_TRY(index_.Seal(metadata.mappings));
  CountAnew();
  STILLFRAME_TRY(AppendSections(metadata));
  STILLFRAME_TRY(AppendTrailer());
  return store_->Publish();
}

Result<void> ImageWriter::AllowRepeats() {
  if (next_offset_ != kHeaderSize || !index_.entries().empty()) {
    return Fail(ErrorCode::kInternal, "the image holds pages already");
  }
  index_.AllowRepeats();
  return {};
}

void ImageWriter::CountAnew() {
  uint64_t zero = 0;
  uint64_t lost = 0;
  std::array<uint64_t, 4> by_source{};
  for (const WireIndexEntry& entry : index_.entries()) {
    switch (static_cast<WireKind>(entry.kind)) {
      case WireKind::kZero:
        zero += entry.pages;
        break;
      case WireKind::kLost:
        lost += entry.pages;
        break;
      case WireKind::kData:
        by_source[entry.source] += entry.pages;
        break;
    }
  }
  zero_.store(zero, std::memory_order_relaxed);
  lost_.store(lost, std::memory_order_relaxed);
  for (size_t i = 0; i < by_source.size(); ++i) {
    by_source_[i].store(by_source[i], std::memory_order_relaxed);
  }
}

Result<void> ImageWriter::AppendSection(SectionType type, std::span<const std::byte> bytes) {
  const bool of_pages = type == SectionType::kIndex || type == SectionType::kSuperseded;
  if (!of_pages && bytes.size() > kMaxSectionBytes) {
    // No reader would take it.
    return Fail(ErrorCode::kUnsupported, "completing the image: section " +
                                             std::to_string(static_cast<uint32_t>(type)) +
                                             " would be larger than 1 GiB");
  }
  table_.push_back({.type = static_cast<uint32_t>(type),
                    .flags = 0,
                    .offset = next_offset_,
                    .length = bytes.size(),
                    .checksum = Checksum(bytes)});
  const iovec part = BufferOf(bytes);
  STILLFRAME_TRY(Append({&part, 1}));
  next_offset_ += bytes.size();
  return {};
}

Result<void> ImageWriter::AppendSections(const ImageMetadata& metadata) {
  const ProcessState& process = metadata.process;
  STILLFRAME_TRY(AppendSection(SectionType::kProcess, EncodeProcess(process)));
  STILLFRAME_TRY(AppendSection(SectionType::kThreads, EncodeThreads(process.threads)));
  STILLFRAME_TRY(AppendSection(SectionType::kMappings, EncodeMappings(metadata.mappings)));
  STILLFRAME_TRY(AppendSection(SectionType::kAuxv, process.auxv));
  STILLFRAME_TRY(AppendSection(SectionType::kSkipped, EncodeSkipped(metadata.skipped)));
  STILLFRAME_TRY(AppendSection(SectionType::kCapture, EncodeCapture(metadata)));
  STILLFRAME_TRY(AppendSection(SectionType::kReasons, EncodeReasons(index_.reasons())));
  if (!index_.superseded().empty()) {
    STILLFRAME_TRY(AppendSection(SectionType::kSuperseded, std::as_bytes(index_.superseded())));
  }
  return AppendSection(SectionType::kIndex, std::as_bytes(index_.entries()));
}

Result<void> ImageWriter::AppendTrailer() {
  const std::span<const WireSection> table(table_);
  WireTrailer trailer{.magic = kTrailerMagic,
                      .id = identity_.id,
                      .table_offset = next_offset_,
                      .table_length = table.size_bytes(),
                      .table_checksum = Checksum(std::as_bytes(table)),
                      .file_size = next_offset_ + table.size_bytes() + sizeof(WireTrailer),
                      .checksum = 0};
  trailer.checksum = ChecksumBeforeLast(trailer);
  const std::array parts{BufferOf(table), BufferOf(std::span<const WireTrailer>(&trailer, 1))};
  STILLFRAME_TRY(Append(parts));
  return Flush();
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
          .written = {appended_.load(std::memory_order_relaxed)}};
}

}  // namespace stillframe
