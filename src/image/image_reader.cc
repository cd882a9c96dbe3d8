#include "stillframe/image_reader.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "image/checksum.h"
#include "image/coverage.h"
#include "image/image_contents.h"
#include "image/image_file.h"

namespace stillframe {
namespace {

constexpr uint64_t kVerifyWindow = MiB(1).count;
static_assert(kVerifyWindow >= kMaxBlockPages * kPageSize.count);

AddressRange RangeOf(const WireIndexEntry& entry) { return {{entry.address}, {entry.end()}}; }

WireKind KindOf(const WireIndexEntry& entry) { return static_cast<WireKind>(entry.kind); }

// One run is the continuation of the other, and nothing but the blocks' limits stands between them.
bool Continues(const ImageRun& a, const ImageRun& b) {
  return a.range.end == b.range.begin && a.kind == b.kind && a.source == b.source &&
         a.reason == b.reason;
}

// The block that was checked last, so that who reads page by page pays for each block once.
//
// Thread rule: any thread.
class BlockCache {
 public:
  // Copies the bytes from `skip` on if the block of `entry` is the one that is kept.
  bool Copy(const WireIndexEntry& entry, size_t skip, std::span<std::byte> to) const {
    const std::lock_guard lock(mutex_);
    if (entry_ != &entry) return false;
    std::memcpy(to.data(), bytes_.data() + skip, to.size());
    return true;
  }
  void Keep(const WireIndexEntry& entry, ByteVector bytes) {
    const std::lock_guard lock(mutex_);
    entry_ = &entry;
    bytes_.swap(bytes);
  }

 private:
  mutable std::mutex mutex_;
  const WireIndexEntry* entry_ = nullptr;
  ByteVector bytes_;
};

class FileImageReader final : public ImageReader {
 public:
  FileImageReader(ImageFile file, ImageContents contents)
      : file_(std::move(file)), contents_(std::move(contents)) {
    counters_.written = {file_.size()};
    for (const WireIndexEntry& entry : contents_.index.entries()) Count(entry);
  }

  const ImageMetadata& metadata() const override { return contents_.metadata; }
  uint32_t format_version() const override { return contents_.header.version; }
  std::array<uint8_t, 16> id() const override { return contents_.header.id; }
  Bytes file_size() const override { return {file_.size()}; }
  SinkCounters counters() const override { return counters_; }
  std::vector<ImageRun> Runs(AddressRange range) const override;
  Result<void> Read(TargetAddress address, std::span<std::byte> to) const override;
  Result<void> Verify() const override;

 private:
  void Count(const WireIndexEntry& entry);
  ImageRun RunOf(const WireIndexEntry& entry) const;
  // Fills `to` with the bytes of the entry's memory from `skip` on.
  Result<void> ReadEntry(const WireIndexEntry& entry, size_t skip, std::span<std::byte> to) const;
  // Fills `block`, which has the block's size, and checks it.
  Result<void> ReadBlock(const WireIndexEntry& entry, std::span<std::byte> block) const;
  Result<void> CheckBlock(const WireIndexEntry& entry, std::span<const std::byte> block) const;
  // Reads and checks blocks that lie side by side and fit into `buffer` together.
  Result<void> CheckBlocks(std::span<const WireIndexEntry* const> blocks,
                           std::span<std::byte> buffer) const;

  const ImageFile file_;
  const ImageContents contents_;
  SinkCounters counters_;
  mutable BlockCache cache_;
};

void FileImageReader::Count(const WireIndexEntry& entry) {
  const Pages pages{entry.pages};
  switch (KindOf(entry)) {
    case WireKind::kZero:
      counters_.zero += pages;
      return;
    case WireKind::kLost:
      counters_.lost += pages;
      return;
    case WireKind::kData:
      break;
  }
  switch (static_cast<PageSource>(entry.source)) {
    case PageSource::kScanned:
      counters_.scanned += pages;
      return;
    case PageSource::kFaulted:
      counters_.faulted += pages;
      return;
    case PageSource::kPaused:
      counters_.paused += pages;
      return;
  }
}

ImageRun FileImageReader::RunOf(const WireIndexEntry& entry) const {
  ImageRun run{.range = RangeOf(entry),
               .kind = PageKind::kZero,
               .source = PageSource::kScanned,
               .reason = {}};
  if (KindOf(entry) == WireKind::kData) {
    run.kind = PageKind::kData;
    run.source = static_cast<PageSource>(entry.source);
  } else if (KindOf(entry) == WireKind::kLost) {
    run.kind = PageKind::kLost;
    run.reason = contents_.index.reason(entry);
  }
  return run;
}

std::vector<ImageRun> FileImageReader::Runs(AddressRange range) const {
  std::vector<ImageRun> runs;
  for (const WireIndexEntry& entry : contents_.index.From(range.begin)) {
    if (entry.address >= range.end.value) break;
    ImageRun run = RunOf(entry);
    run.range = Intersect(run.range, range);
    if (!runs.empty() && Continues(runs.back(), run)) {
      runs.back().range.end = run.range.end;
    } else {
      runs.push_back(run);
    }
  }
  return runs;
}

Result<void> FileImageReader::Read(TargetAddress address, std::span<std::byte> to) const {
  for (const WireIndexEntry& entry : contents_.index.From(address)) {
    if (to.empty()) return {};
    if (address.value < entry.address) break;
    const uint64_t skip = address.value - entry.address;
    const auto part =
        to.first(static_cast<size_t>(std::min<uint64_t>(to.size(), entry.end() - address.value)));
    STILLFRAME_TRY(ReadEntry(entry, static_cast<size_t>(skip), part));
    address = address + Bytes{part.size()};
    to = to.subspan(part.size());
  }
  if (to.empty()) return {};
  auto failure = Fail(ErrorCode::kUsage,
                      "reading the image's memory: it holds no page at " + Hex(address.value),
                      "stillframe info lists what it holds");
  failure.value().address = address;
  return failure;
}

Result<void> FileImageReader::ReadEntry(const WireIndexEntry& entry, size_t skip,
                                        std::span<std::byte> to) const {
  if (KindOf(entry) == WireKind::kZero) {
    std::memset(to.data(), 0, to.size());
    return {};
  }
  if (KindOf(entry) == WireKind::kLost) {
    const TargetAddress at{entry.address + skip};
    auto failure =
        Fail(ErrorCode::kInternal, "reading the image's memory: the page at " + Hex(at.value) +
                                       " was lost (" + contents_.index.reason(entry) + ")");
    failure.value().address = at;
    return failure;
  }
  if (to.size() == entry.stored_bytes) return ReadBlock(entry, to);
  if (cache_.Copy(entry, skip, to)) return {};
  ByteVector block(static_cast<size_t>(entry.stored_bytes));
  STILLFRAME_TRY(ReadBlock(entry, block));
  std::memcpy(to.data(), block.data() + skip, to.size());
  cache_.Keep(entry, std::move(block));
  return {};
}

Result<void> FileImageReader::ReadBlock(const WireIndexEntry& entry,
                                        std::span<std::byte> block) const {
  STILLFRAME_TRY(file_.ReadAt(entry.file_offset, block));
  return CheckBlock(entry, block);
}

Result<void> FileImageReader::CheckBlock(const WireIndexEntry& entry,
                                         std::span<const std::byte> block) const {
  if (Checksum(block) == entry.checksum) return {};
  if (ImageIndex::IsSuperseded(entry)) {
    return file_.Damaged("the checksum of a superseded block is wrong (offset " +
                         std::to_string(entry.file_offset) + ")");
  }
  auto failure = file_.Damaged("the checksum of the " + std::to_string(entry.pages) + " pages at " +
                               Hex(entry.address) + " is wrong (offset " +
                               std::to_string(entry.file_offset) + ")");
  failure.value().address = TargetAddress{entry.address};
  return failure;
}

Result<void> FileImageReader::CheckBlocks(std::span<const WireIndexEntry* const> blocks,
                                          std::span<std::byte> buffer) const {
  const uint64_t begin = blocks.front()->file_offset;
  const uint64_t end = blocks.back()->file_offset + blocks.back()->stored_bytes;
  STILLFRAME_TRY(file_.ReadAt(begin, buffer.first(static_cast<size_t>(end - begin))));
  for (const WireIndexEntry* entry : blocks) {
    STILLFRAME_TRY(
        CheckBlock(*entry, buffer.subspan(static_cast<size_t>(entry->file_offset - begin),
                                          static_cast<size_t>(entry->stored_bytes))));
  }
  return {};
}

Result<void> FileImageReader::Verify() const {
  // From the file once more, not from what was read at Open: it may be an hour old.
  STILLFRAME_ASSIGN(const ImageContents now, LoadImageContents(file_));
  const std::vector<const WireIndexEntry*> blocks = now.index.Blocks();
  std::span<const WireIndexEntry* const> left(blocks);
  ByteVector buffer(static_cast<size_t>(std::min(kVerifyWindow, file_.size())));
  while (!left.empty()) {
    // The blocks lie side by side: as many as there is room for are read at once, and the disk gets
    // the next ones.
    const uint64_t window_end = left.front()->file_offset + kVerifyWindow;
    const auto fits = std::partition_point(left.begin(), left.end(), [=](const auto* entry) {
      return entry->file_offset + entry->stored_bytes <= window_end;
    });
    const auto count = static_cast<size_t>(fits - left.begin());
    file_.Prefetch(window_end, kVerifyWindow);
    STILLFRAME_TRY(CheckBlocks(left.first(count), buffer));
    left = left.subspan(count);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ImageReader>> ImageReader::Open(const std::string& path) {
  STILLFRAME_ASSIGN(ImageFile file, ImageFile::Open(path));
  STILLFRAME_ASSIGN(ImageContents contents, LoadImageContents(file));
  std::unique_ptr<ImageReader> reader(new FileImageReader(std::move(file), std::move(contents)));
  return reader;
}

}  // namespace stillframe
