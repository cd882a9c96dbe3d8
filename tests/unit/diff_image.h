// An image that is made up page by page and that counts what is read of it.
#ifndef STILLFRAME_TESTS_UNIT_DIFF_IMAGE_H_
#define STILLFRAME_TESTS_UNIT_DIFF_IMAGE_H_

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "stillframe/image_reader.h"

namespace stillframe::test {

class DiffImage final : public ImageReader {
 public:
  // Where pages stand: a file of the chain, and whether it keeps hashes.
  void AddFile(uint8_t id, bool hashes) {
    ChainFile file;
    file.id = {id};
    file.index_checksum = id;
    file.has_hashes = hashes;
    chain_.push_back(file);
  }

  // All of it zero at first.
  void AddMapping(uint64_t begin, uint64_t pages, const std::string& name) {
    const AddressRange range{{begin}, {begin + pages * kPageSize.count}};
    SavedMapping saved{.mapping = {}, .saved = range};
    saved.mapping.range = range;
    saved.mapping.name = name;
    metadata_.mappings.push_back(saved);
    for (uint64_t at = begin; at < range.end.value; at += kPageSize.count) pages_[at] = {};
  }
  void LeaveOut(uint64_t begin, uint64_t pages, const std::string& name) {
    AddMapping(begin, pages, name);
    SavedMapping& saved = metadata_.mappings.back();
    saved.saved.end = saved.saved.begin;
    for (uint64_t i = 0; i < pages; ++i) pages_.erase(begin + i * kPageSize.count);
  }

  // Fills pages with `value`, in the file at `depth` of the chain.
  void Data(uint64_t begin, uint64_t pages, uint64_t value, size_t depth = 0) {
    for (uint64_t i = 0; i < pages; ++i) {
      pages_.at(begin + i * kPageSize.count) = {PageKind::kData, value, depth};
    }
  }
  void Lose(uint64_t page, PageKind kind = PageKind::kLost) { pages_.at(page) = {kind, 0, 0}; }

  uint64_t reads() const { return reads_; }
  void FailReads() { fail_ = true; }
  ImageMetadata& facts() { return metadata_; }

  const ImageMetadata& metadata() const override { return metadata_; }
  uint32_t format_version() const override { return 2; }
  std::array<uint8_t, 16> id() const override { return chain_.front().id; }
  Bytes file_size() const override { return {}; }
  SinkCounters counters() const override { return {}; }
  std::span<const ChainFile> chain() const override { return chain_; }
  Result<void> Verify() const override { return {}; }

  // Cut after each third page, as entries of an index would be.
  std::vector<ImageRun> Runs(AddressRange range) const override {
    std::vector<ImageRun> runs;
    for (auto at = pages_.lower_bound(range.begin.value);
         at != pages_.end() && at->first < range.end.value; ++at) {
      const auto& [address, page] = *at;
      const bool more = !runs.empty() && runs.back().range.end.value == address &&
                        runs.back().kind == page.kind && runs.back().depth == page.depth &&
                        runs.back().range.pages().count < 3;
      if (!more) {
        runs.push_back({.range = {{address}, {address}},
                        .kind = page.kind,
                        .source = PageSource::kScanned,
                        .reason = {},
                        .depth = page.depth});
      }
      runs.back().range.end = {address + kPageSize.count};
    }
    return runs;
  }

  Result<void> Read(TargetAddress address, std::span<std::byte> to) const override {
    if (fail_) return Fail(ErrorCode::kDamaged, "the image is damaged");
    ++reads_;
    const uint64_t value = pages_.at(address.value).value;
    std::ranges::fill(to, std::byte{0});
    std::memcpy(to.data() + to.size() - sizeof(value), &value, sizeof(value));
    return {};
  }

  std::optional<PageHash> HashOf(TargetAddress page) const override {
    const Page& found = pages_.at(page.value);
    if (found.kind != PageKind::kData || !chain_[found.depth].has_hashes) return std::nullopt;
    return PageHash{.low = found.value, .high = 1};
  }

  std::unique_ptr<PageQueue> Queue() const override { return std::make_unique<Noted>(*this); }

 private:
  struct Page {
    PageKind kind = PageKind::kZero;
    uint64_t value = 0;
    size_t depth = 0;
  };

  // Nothing stands in a destination before Sync.
  class Noted final : public PageQueue {
   public:
    explicit Noted(const DiffImage& image) : image_(image) {}
    Result<void> QueueRead(TargetAddress page, std::span<std::byte> destination) override {
      noted_.push_back({page, destination});
      return {};
    }
    Result<void> Sync() override {
      for (const auto& [page, destination] : std::exchange(noted_, {})) {
        STILLFRAME_TRY(image_.Read(page, destination));
      }
      return {};
    }

   private:
    const DiffImage& image_;
    std::vector<std::pair<TargetAddress, std::span<std::byte>>> noted_;
  };

  ImageMetadata metadata_;
  std::vector<ChainFile> chain_;
  std::map<uint64_t, Page> pages_;
  mutable uint64_t reads_ = 0;
  bool fail_ = false;
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_UNIT_DIFF_IMAGE_H_
