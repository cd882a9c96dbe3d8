#include "image/page_queue.h"

#include <cstring>
#include <utility>
#include <vector>

#include "image/block_gather.h"
#include "image/read_crew.h"
#include "image/read_plan.h"

namespace stillframe {
namespace {

// 256 MiB of pages; less than 10 MiB to note and order them.
constexpr size_t kMostPages = 65536;

// Has the CPU bring memory that will be read before long.
void Prefetch(const void* memory) { __builtin_prefetch(memory); }

class ChainPageQueue final : public PageQueue {
 public:
  ChainPageQueue(const ImageChain& chain, std::shared_ptr<TaskPool> workers, BlockPuncher* puncher)
      : chain_(chain), workers_(std::move(workers)), puncher_(puncher) {}

  Result<void> QueueRead(TargetAddress page, std::span<std::byte> destination) override;
  Result<void> Sync() override;

 private:
  // A page of data that is to be read.
  struct Wanted {
    const ChainRun* run;
    TargetAddress page;
    std::byte* to;
  };

  const ChainRun* Find(TargetAddress page);
  // Whether the page has to be read: fills `to` with what is zero. Errors: why it can't be.
  Result<bool> MustRead(const ChainRun& run, TargetAddress page, std::span<std::byte> to) const;
  // Where in their files the pages stand.
  std::vector<QueuedPage> Locate(std::span<const Wanted> all) const;

  const ImageChain& chain_;
  const std::shared_ptr<TaskPool> workers_;
  BlockPuncher* const puncher_;
  std::vector<Wanted> wanted_;
  BlockGather gather_;
  size_t last_ = 0;  // the run that the last page was found in
};

const ChainRun* ChainPageQueue::Find(TargetAddress page) {
  const std::span<const ChainRun> runs = chain_.runs();
  // Mostly the page is behind the one before.
  for (size_t i = last_; i < runs.size() && i < last_ + 2; ++i) {
    if (runs[i].range().Contains(page)) {
      last_ = i;
      return &runs[i];
    }
  }
  const std::span<const ChainRun> found = chain_.From(page);
  if (found.empty() || !found.front().range().Contains(page)) return nullptr;
  last_ = static_cast<size_t>(&found.front() - runs.data());
  return &found.front();
}

Result<void> ChainPageQueue::QueueRead(TargetAddress page, std::span<std::byte> destination) {
  if (page.value % kPageSize.count != 0 || destination.size() != kPageSize.count) {
    return Fail(ErrorCode::kUsage, "reading the image's memory: that is not one page");
  }
  const ChainRun* const run = Find(page);
  if (run == nullptr) return ImageChain::NotHeld(page);
  if (!run->plain_data || puncher_ != nullptr) {
    STILLFRAME_ASSIGN(const bool must, MustRead(*run, page, destination));
    if (!must) return {};
  }
  if (wanted_.size() == kMostPages) STILLFRAME_TRY(Sync());
  // A look at it now would wait for memory: of a long index hardly any entry is in a cache.
  Prefetch(&chain_.entry(*run));
  wanted_.push_back({.run = run, .page = page, .to = destination.data()});
  return {};
}

Result<bool> ChainPageQueue::MustRead(const ChainRun& run, TargetAddress page,
                                      std::span<std::byte> to) const {
  STILLFRAME_TRY(chain_.CheckReadable(run, {page, page + kPageSize}));
  const WireIndexEntry& entry = chain_.entry(run);
  if (!IsData(entry)) {
    std::memset(to.data(), 0, to.size());
    return false;
  }
  if (puncher_ != nullptr && run.depth == 0 && puncher_->IsGone(entry.file_offset)) {
    return ImageChain::GivenBack(page);
  }
  return true;
}

std::vector<QueuedPage> ChainPageQueue::Locate(std::span<const Wanted> all) const {
  std::vector<QueuedPage> pages;
  pages.reserve(all.size());
  for (const Wanted& wanted : all) {
    const WireIndexEntry& entry = chain_.entry(*wanted.run);
    const uint64_t behind = (wanted.page.value - entry.address) / kPageSize.count;
    pages.push_back({.block = entry.file_offset,
                     .entry = &entry,
                     .to = wanted.to,
                     .depth = wanted.run->depth,
                     .page = static_cast<uint16_t>(entry.first_page + behind)});
  }
  return pages;
}

Result<void> ChainPageQueue::Sync() {
  if (wanted_.empty()) return {};
  // What was queued is not tried again when it fails.
  const std::vector<Wanted> wanted = std::exchange(wanted_, {});
  const auto crew = std::make_shared<ReadCrew>(chain_, Locate(wanted));
  STILLFRAME_TRY(crew->Run(workers_.get(), gather_));
  // Only now: had a read failed, the caller would have to begin anew.
  for (const QueuedPage& page : crew->pages()) {
    if (puncher_ != nullptr && page.depth == 0) {
      puncher_->HandedOut(page.block, PageBits(page.page, 1));
    }
  }
  return {};
}

}  // namespace

std::unique_ptr<PageQueue> NewPageQueue(const ImageChain& chain, std::shared_ptr<TaskPool> workers,
                                        BlockPuncher* puncher) {
  return std::make_unique<ChainPageQueue>(chain, std::move(workers), puncher);
}

}  // namespace stillframe
