#include "stillframe/image_reader.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "image/block_cache.h"
#include "image/block_puncher.h"
#include "image/block_reader.h"
#include "image/coverage.h"
#include "image/image_chain.h"
#include "image/image_verifier.h"
#include "image/page_hash.h"
#include "image/page_queue.h"

namespace stillframe {
namespace {

// One run is the continuation of the other, and nothing but the blocks' limits stands between them.
bool Continues(const ImageRun& a, const ImageRun& b) {
  return a.range.end == b.range.begin && a.kind == b.kind && a.source == b.source &&
         a.reason == b.reason && a.depth == b.depth;
}

void Append(std::vector<ImageRun>& runs, const ImageRun& run) {
  if (!runs.empty() && Continues(runs.back(), run)) {
    runs.back().range.end = run.range.end;
  } else {
    runs.push_back(run);
  }
}

// So many single pages are read with all of their blocks; from then on alone, by their hashes.
constexpr uint64_t kSinglesByBlock = 64;

class FileImageReader final : public ImageReader {
 public:
  FileImageReader(ImageChain chain, const ReadOptions& options)
      : chain_(std::move(chain)), workers_(options.workers) {
    if (options.punch) puncher_ = std::make_unique<BlockPuncher>(chain_.image(0));
    for (size_t i = 0; i < chain_.size(); ++i) files_.push_back(chain_.image(i).Describe());
    counters_.written = file_size();
    for (const ChainRun& run : chain_.runs()) Count(run);
  }

  const ImageMetadata& metadata() const override { return top().metadata; }
  uint32_t format_version() const override { return top().header.version; }
  std::array<uint8_t, 16> id() const override { return top().header.id; }
  Bytes file_size() const override { return {chain_.image(0).file().size()}; }
  SinkCounters counters() const override { return counters_; }
  std::span<const ChainFile> chain() const override { return files_; }
  std::vector<ImageRun> Runs(AddressRange range) const override;
  Result<void> Read(TargetAddress address, std::span<std::byte> to) const override;
  std::unique_ptr<PageQueue> Queue() const override {
    return NewPageQueue(chain_, workers_, puncher_.get());
  }
  std::optional<PageHash> HashOf(TargetAddress page) const override;
  Result<void> Verify() const override;

 private:
  const ImageContents& top() const { return chain_.image(0).contents(); }
  void Count(const ChainRun& run);
  // Adds the part of the run, page by page where some of its block were freed.
  void AddRuns(const ChainRun& run, AddressRange part, std::vector<ImageRun>& runs) const;
  // Fills `to` with the memory of the run from `address` on.
  Result<void> ReadRun(const ChainRun& run, TargetAddress address, std::span<std::byte> to) const;
  Result<void> ReadData(const ChainRun& run, TargetAddress address, std::span<std::byte> to) const;
  // Reads no more than the page at `skip` of a raw block, and proves it by its hash. False where
  // that can't be done.
  bool ReadAlone(const ChainRun& run, size_t skip, std::span<std::byte> page) const;

  const ImageChain chain_;
  const std::shared_ptr<TaskPool> workers_;
  std::unique_ptr<BlockPuncher> puncher_;
  std::vector<ChainFile> files_;
  SinkCounters counters_;
  mutable BlockCache cache_;
  mutable std::atomic<uint64_t> singles_ = 0;  // pages that were read by themselves
};

void FileImageReader::Count(const ChainRun& run) {
  const WireIndexEntry& entry = chain_.entry(run);
  const Pages pages = run.range().pages();
  switch (KindOf(entry)) {
    case WireKind::kZero:
      counters_.zero += pages;
      return;
    case WireKind::kLost:
      counters_.lost += pages;
      return;
    case WireKind::kInParent:  // the chain says where it stands there
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

void FileImageReader::AddRuns(const ChainRun& run, AddressRange part,
                              std::vector<ImageRun>& runs) const {
  const WireIndexEntry& entry = chain_.entry(run);
  ImageRun told{.range = part, .kind = PageKind::kZero, .reason = {}, .depth = run.depth};
  if (KindOf(entry) == WireKind::kLost) {
    told.kind = PageKind::kLost;
    told.reason = chain_.image(run).index().reason(entry);
  }
  if (!IsData(entry)) return Append(runs, told);
  told.kind = PageKind::kData;
  told.source = static_cast<PageSource>(entry.source);
  const uint64_t freed = chain_.image(run).freed().PagesOf(entry);
  if ((freed & chain_.PagesOf(run, part)) == 0) return Append(runs, told);
  for (TargetAddress at = part.begin; at < part.end;) {
    // To the end of its page, or of the part.
    const uint64_t page_end = (at.value / kPageSize.count + 1) * kPageSize.count;
    told.range = Intersect({at, {page_end}}, part);
    const bool gone = (freed & chain_.PagesOf(run, told.range)) != 0;
    told.kind = gone ? PageKind::kFreed : PageKind::kData;
    Append(runs, told);
    at = told.range.end;
  }
}

std::vector<ImageRun> FileImageReader::Runs(AddressRange range) const {
  std::vector<ImageRun> runs;
  for (const ChainRun& run : chain_.From(range.begin)) {
    if (run.begin >= range.end.value) break;
    const AddressRange part = Intersect(run.range(), range);
    if (!part.empty()) AddRuns(run, part, runs);
  }
  return runs;
}

Result<void> FileImageReader::Read(TargetAddress address, std::span<std::byte> to) const {
  for (const ChainRun& run : chain_.From(address)) {
    if (to.empty()) return {};
    if (address.value < run.begin) break;
    const auto part =
        to.first(static_cast<size_t>(std::min<uint64_t>(to.size(), run.end - address.value)));
    STILLFRAME_TRY(ReadRun(run, address, part));
    address = address + Bytes{part.size()};
    to = to.subspan(part.size());
  }
  if (to.empty()) return {};
  return ImageChain::NotHeld(address);
}

Result<void> FileImageReader::ReadRun(const ChainRun& run, TargetAddress address,
                                      std::span<std::byte> to) const {
  const AddressRange part{address, address + Bytes{to.size()}};
  STILLFRAME_TRY(chain_.CheckReadable(run, part));
  if (!IsData(chain_.entry(run))) {
    std::memset(to.data(), 0, to.size());
    return {};
  }
  if (puncher_ == nullptr || run.depth > 0) return ReadData(run, address, to);
  const uint64_t block = chain_.entry(run).file_offset;
  if (puncher_->IsGone(block)) return ImageChain::GivenBack(address);
  STILLFRAME_TRY(ReadData(run, address, to));
  const uint64_t mask = kPageSize.count - 1;
  const AddressRange whole{{(part.begin.value + mask) & ~mask}, {part.end.value & ~mask}};
  if (!whole.empty()) puncher_->HandedOut(block, chain_.PagesOf(run, whole));
  return {};
}

Result<void> FileImageReader::ReadData(const ChainRun& run, TargetAddress address,
                                       std::span<std::byte> to) const {
  const WireIndexEntry& entry = chain_.entry(run);
  const StoredImage& image = chain_.image(run);
  const auto skip =
      static_cast<size_t>(entry.first_page * kPageSize.count + (address.value - entry.address));
  if (to.size() == RawBytes(entry)) return ReadBlock(image, entry, to);
  const BlockCache::Key key{.depth = run.depth, .file_offset = entry.file_offset};
  if (cache_.Copy(key, skip, to)) return {};
  if (ReadAlone(run, skip, to)) return {};
  ByteVector block(RawBytes(entry));
  STILLFRAME_TRY(ReadBlock(image, entry, block));
  std::memcpy(to.data(), block.data() + skip, to.size());
  cache_.Keep(key, std::move(block));
  return {};
}

bool FileImageReader::ReadAlone(const ChainRun& run, size_t skip, std::span<std::byte> page) const {
  const WireIndexEntry& entry = chain_.entry(run);
  const StoredImage& image = chain_.image(run);
  if (page.size() != kPageSize.count || skip % kPageSize.count != 0) return false;
  if (EncodingOf(entry) != WireEncoding::kRaw || !image.hashes().kept()) return false;
  // For a few pages it is not worth it to read all hashes of the file.
  if (singles_.fetch_add(1, std::memory_order_relaxed) < kSinglesByBlock) return false;
  if (!image.file().ReadAt(entry.file_offset + skip, page)) return false;
  const auto hash = image.hashes().Of(entry, skip / kPageSize.count - entry.first_page);
  return hash && *hash == HashPage(page);
}

std::optional<PageHash> FileImageReader::HashOf(TargetAddress page) const {
  const std::span<const ChainRun> runs = chain_.From(page);
  if (runs.empty() || page.value < runs.front().begin) return std::nullopt;
  const ChainRun& run = runs.front();
  const WireIndexEntry& entry = chain_.entry(run);
  if (!IsData(entry) || !chain_.CheckReadable(run, {page, page + kPageSize})) return std::nullopt;
  const uint64_t number = (page.value - entry.address) / kPageSize.count;
  return chain_.image(run).hashes().Of(entry, number);
}

Result<void> FileImageReader::Verify() const {
  for (size_t i = 0; i < chain_.size(); ++i) STILLFRAME_TRY(VerifyImage(chain_.image(i)));
  return {};
}

}  // namespace

Result<std::unique_ptr<ImageReader>> ImageReader::Open(const std::string& path,
                                                       const ReadOptions& options) {
  const auto access = options.punch ? ImageFile::Access::kExclusive : ImageFile::Access::kShared;
  STILLFRAME_ASSIGN(ImageChain chain, ImageChain::Open(path, access));
  return std::unique_ptr<ImageReader>(new FileImageReader(std::move(chain), options));
}

}  // namespace stillframe
