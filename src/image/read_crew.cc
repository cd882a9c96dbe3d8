#include "image/read_crew.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace stillframe {
namespace {

// What the disk is asked for ahead: enough for it to have several requests at a time.
constexpr size_t kAheadReads = 512;
constexpr uint64_t kAheadBytes = MiB(8).count;
constexpr uint64_t kLongRead = KiB(128).count;
// What one takes at a time: of short reads several, as to take them costs too.
constexpr uint64_t kShareBytes = KiB(64).count;
// Below that a thread more costs more than it helps.
constexpr size_t kPagesForHelp = 32;

}  // namespace

ReadCrew::ReadCrew(const ImageChain& chain, std::vector<QueuedPage> pages)
    : chain_(chain), pages_(std::move(pages)), reads_(PlanReads(chain, pages_)) {}

Result<void> ReadCrew::Run(TaskPool* workers, BlockGather& gather) {
  if (workers != nullptr && pages_.size() >= kPagesForHelp) {
    const size_t helpers = std::min({workers->threads(), reads_.size() - 1, kMostHelpers});
    for (size_t i = 0; i < helpers; ++i) {
      workers->Push([crew = shared_from_this()] {
        BlockGather own;
        crew->Work(own);
      });
    }
  }
  Work(gather);
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return working_ == 0; });
  if (failed_with_) return tl::unexpected(*failed_with_);
  return {};
}

void ReadCrew::Work(BlockGather& gather) {
  while (std::optional<Share> share = Next()) {
    // Whoever waits for a share waits for ever if it is not told of.
    Result<void> done;
    try {
      done = Do(*share, gather);
    } catch (const std::exception& failure) {
      done = Fail(ErrorCode::kLimit, std::string("reading pages of an image: ") + failure.what());
    }
    Done(*share, std::move(done));
  }
}

Result<void> ReadCrew::Do(Share& share, BlockGather& gather) {
  for (; share.first < share.end; ++share.first) {
    const size_t number = share.first;
    const PlannedRead& read = reads_[number];
    STILLFRAME_TRY(gather.Run(chain_, read, std::span(pages_).subspan(read.first, read.count),
                              [this, number] { ReadAhead(number); }));
  }
  return {};
}

std::optional<ReadCrew::Share> ReadCrew::Next() {
  const std::lock_guard lock(mutex_);
  // Those before one that failed were all taken: so the first one that fails is known in the end.
  if (failed_with_ || next_ == reads_.size()) return std::nullopt;
  Share share{.first = next_, .end = next_};
  uint64_t bytes = 0;
  do {
    bytes += reads_[share.end].end - reads_[share.end].begin;
    ++share.end;
  } while (share.end < reads_.size() && bytes < kShareBytes);
  next_ = share.end;
  ++working_;
  return share;
}

void ReadCrew::Done(const Share& share, Result<void> result) {
  const std::lock_guard lock(mutex_);
  if (!result && (!failed_with_ || share.first < failed_)) {
    failed_ = share.first;
    failed_with_ = std::move(result).error();
  }
  if (--working_ == 0) idle_.notify_all();
}

void ReadCrew::ReadAhead(size_t number) {
  size_t from;
  size_t end = number;
  {
    const std::lock_guard lock(mutex_);
    // Half of what it was asked for is still to come.
    if (number < ask_again_at_) return;
    uint64_t bytes = 0;
    while (end < reads_.size() && end < number + kAheadReads && bytes < kAheadBytes) {
      bytes += reads_[end].end - reads_[end].begin;
      ++end;
    }
    from = std::max(ahead_, number);
    ahead_ = std::max(ahead_, end);
    ask_again_at_ = ahead_ == reads_.size() ? ahead_ : number + (end - number + 1) / 2;
  }
  for (size_t i = from; i < end; ++i) {
    const PlannedRead& read = reads_[i];
    // The kernel reads ahead of long ones itself, and better.
    if (read.end - read.begin >= kLongRead) continue;
    chain_.image(read.depth).file().Prefetch(read.begin, read.end - read.begin);
  }
}

}  // namespace stillframe
