// Memory of a made-up process, for tests of images that are differences to one another: what an
// image says is held against what was there when it was written.
#ifndef STILLFRAME_TESTS_UNIT_IMAGE_MODEL_H_
#define STILLFRAME_TESTS_UNIT_IMAGE_MODEL_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "image_samples.h"
#include "stillframe/image.h"
#include "stillframe/image_reader.h"

namespace stillframe {

// A page by what it was filled with; 0: of zeros.
using ModelPages = std::map<uint64_t, uint64_t>;

// A page that gets smaller if `seed` is even, and does not if it is odd.
inline ByteVector ModelPage(uint64_t seed) {
  ByteVector page(kPageSize.count);
  if (seed == 0) return page;
  std::mt19937_64 random(seed);
  for (uint64_t at = 0; at < page.size(); at += sizeof(uint64_t)) {
    StoreAt(page, at, seed % 2 == 0 && at % 64 != 0 ? seed : random());
  }
  return page;
}

class MemoryModel {
 public:
  struct Range {
    uint64_t pages = 0;
    bool operator==(const Range&) const = default;
  };

  explicit MemoryModel(uint64_t seed) : random_(seed) {
    Map(0x100000, 40);
    Map(0x400000, 3);
    Map(0x800000, 100);
  }

  const ModelPages& pages() const { return pages_; }
  std::mt19937_64& random() { return random_; }
  uint64_t Below(uint64_t limit) { return random_() % limit; }

  void Map(uint64_t begin, uint64_t count) {
    Unmap(begin, count);
    for (uint64_t i = 0; i < count; ++i) pages_[begin + i * kPageSize.count] = 0;
  }
  void Unmap(uint64_t begin, uint64_t count) {
    pages_.erase(pages_.lower_bound(begin), pages_.lower_bound(begin + count * kPageSize.count));
  }
  void Set(uint64_t address, uint64_t seed) { pages_[address] = seed; }

  // Writes, discards, maps or unmaps something.
  void Change() {
    for (uint64_t left = 1 + Below(30); left > 0; --left) {
      auto page = pages_.begin();
      if (pages_.empty()) break;
      std::advance(page, static_cast<ptrdiff_t>(Below(pages_.size())));
      page->second = Below(5) == 0 ? 0 : 1 + Below(1'000'000);
    }
    if (Below(4) == 0) Map(0x100000 + Below(300) * kPageSize.count, 1 + Below(30));
    if (Below(6) == 0) Unmap(0x100000 + Below(300) * kPageSize.count, 1 + Below(30));
  }

  ImageMetadata Metadata() const {
    ImageMetadata metadata = SmallMetadata();
    metadata.mappings.clear();
    metadata.skipped.clear();
    for (const auto& [address, seed] : pages_) {
      const bool follows =
          !metadata.mappings.empty() && metadata.mappings.back().saved.end.value == address;
      if (!follows) metadata.mappings.push_back(WholeMapping(address, 0, ""));
      SavedMapping& mapping = metadata.mappings.back();
      mapping.mapping.range.end = mapping.saved.end = TargetAddress{address} + kPageSize;
    }
    return metadata;
  }

  // Tells `sink` of everything, in runs of changing length, in any order.
  void Tell(PageSink& sink) {
    std::vector<std::pair<uint64_t, ByteVector>> runs;
    uint64_t next = 0;
    for (const auto& [address, seed] : pages_) {
      if (runs.empty() || address != next || Below(8) == 0) runs.push_back({address, {}});
      const ByteVector page = ModelPage(seed);
      runs.back().second.insert(runs.back().second.end(), page.begin(), page.end());
      next = address + kPageSize.count;
    }
    std::ranges::shuffle(runs, random_);
    for (const auto& [address, bytes] : runs) {
      const auto written = sink.Write({address}, bytes, PageSource::kScanned);
      ASSERT_TRUE(written) << written.error().message;
    }
  }

  // The same to a new image at `path`.
  void Save(const std::string& path, const ImageOptions& options, bool force = false) {
    auto sink = CreateImage({.path = path, .force = force}, options);
    ASSERT_TRUE(sink) << sink.error().message;
    Tell(**sink);
    const auto finished = (*sink)->Finish(Metadata());
    ASSERT_TRUE(finished) << finished.error().message;
  }

 private:
  std::mt19937_64 random_;
  ModelPages pages_;
};

// That the image at `path` holds just these pages, by each way to read them.
inline void ExpectHolds(const std::string& path, const ModelPages& pages,
                        const ReadOptions& options = {}) {
  const auto image = ImageReader::Open(path, options);
  ASSERT_TRUE(image) << image.error().message;
  uint64_t held = 0;
  for (const SavedMapping& mapping : (*image)->metadata().mappings) {
    held += mapping.saved.pages().count;
  }
  EXPECT_EQ(held, pages.size());
  const auto queue = (*image)->Queue();
  std::vector<ByteVector> queued(pages.size(), ByteVector(kPageSize.count));
  size_t number = 0;
  for (const auto& [address, seed] : pages) {
    ASSERT_TRUE(queue->QueueRead({address}, queued[number++]));
  }
  const auto synced = queue->Sync();
  ASSERT_TRUE(synced) << synced.error().message;
  number = 0;
  for (const auto& [address, seed] : pages) {
    const ByteVector expected = ModelPage(seed);
    ByteVector page(kPageSize.count);
    const auto read = (*image)->ReadPage({address}, page);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(page, expected) << path << ", page " << std::hex << address;
    ASSERT_EQ(queued[number++], expected) << path << ", queued page " << std::hex << address;
  }
  const auto verified = (*image)->Verify();
  EXPECT_TRUE(verified) << verified.error().message;
}

}  // namespace stillframe

#endif  // STILLFRAME_TESTS_UNIT_IMAGE_MODEL_H_
