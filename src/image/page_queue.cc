#include "image/page_queue.h"

#include <cstring>
#include <utility>
#include <vector>

#include "image/block_gather.h"
#include "image/read_crew.h"
#include "image/read_plan.h"

namespace stillframe {
namespace {

// 256 MiB of pages; 2 MiB to note them.
constexpr size_t kMostPages = 65536;

class ChainPageQueue final : public PageQueue {
 public:
  ChainPageQueue(const ImageChain& chain, std::shared_ptr<TaskPool> workers, BlockPuncher* puncher)
      : chain_(chain), workers_(std::move(workers)), puncher_(puncher) {}

  Result<void> QueueRead(TargetAddress page, std::span<std::byte> destination) override;
  Result<void> Sync() override;

 private:
  const ChainRun* Find(TargetAddress page);

  const ImageChain& chain_;
  const std::shared_ptr<TaskPool> workers_;
  BlockPuncher* const puncher_;
  std::vector<QueuedPage> pages_;
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
  STILLFRAME_TRY(chain_.CheckReadable(*run, {page, page + kPageSize}));
  const WireIndexEntry& entry = chain_.entry(*run);
  if (!IsData(entry)) {
    std::memset(destination.data(), 0, destination.size());
    return {};
  }
  if (puncher_ != nullptr && run->depth == 0 && puncher_->IsGone(entry.file_offset)) {
    return ImageChain::GivenBack(page);
  }
  if (pages_.size() == kMostPages) STILLFRAME_TRY(Sync());
  const uint64_t number = entry.first_page + (page.value - entry.address) / kPageSize.count;
  pages_.push_back({.block = entry.file_offset,
                    .entry = &entry,
                    .to = destination.data(),
                    .depth = run->depth,
                    .page = static_cast<uint16_t>(number)});
  return {};
}

Result<void> ChainPageQueue::Sync() {
  if (pages_.empty()) return {};
  const auto crew = std::make_shared<ReadCrew>(chain_, std::exchange(pages_, {}));
  STILLFRAME_TRY(crew->Run(workers_.get(), gather_));
  // Only now: had a read failed, the caller would have to begin anew.
  for (const QueuedPage& page : crew->pages()) {
    if (puncher_ != nullptr && page.depth == 0) {
      puncher_->HandedOut(page.block, PageBits(page.page, 1));
    }
  }
  pages_ = crew->TakePages();
  pages_.clear();
  return {};
}

}  // namespace

std::unique_ptr<PageQueue> NewPageQueue(const ImageChain& chain, std::shared_ptr<TaskPool> workers,
                                        BlockPuncher* puncher) {
  return std::make_unique<ChainPageQueue>(chain, std::move(workers), puncher);
}

}  // namespace stillframe
