#include "image/encode_line.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace stillframe {
namespace {

// Two for each thread: one that it works on, one that waits for it. And one each that is being
// filled and being written.
size_t JobsFor(const TaskPool* workers) {
  return workers == nullptr ? 2 : workers->threads() * 2 + 2;
}

// Whoever waits for the job waits for ever if it is not told of.
Result<void> WorkWithoutExceptions(BlockJob* job) {
  try {
    return job->Work();
  } catch (const std::exception& failure) {
    return Fail(ErrorCode::kLimit, std::string("encoding a block: ") + failure.what());
  }
}

}  // namespace

Result<std::unique_ptr<EncodeLine>> EncodeLine::Create(const Options& options, Take take) {
  std::unique_ptr<EncodeLine> line(new EncodeLine(options.workers, std::move(take)));
  line->slots_.resize(JobsFor(options.workers.get()));
  for (Slot& slot : line->slots_) {
    STILLFRAME_ASSIGN(slot.job,
                      BlockJob::Create(options.block, options.compression, options.parent));
  }
  return line;
}

EncodeLine::~EncodeLine() {
  std::unique_lock lock(mutex_);
  for (; under_way_ > 0; --under_way_) {
    const Slot& slot = slots_[oldest_];
    finished_.wait(lock, [&slot] { return slot.done; });
    oldest_ = (oldest_ + 1) % slots_.size();
  }
}

Result<void> EncodeLine::Add(uint64_t turn, TargetAddress address, std::span<const std::byte> pages,
                             PageSource source) {
  while (!pages.empty()) {
    if (under_way_ == slots_.size()) STILLFRAME_TRY(TakeOldest());
    const size_t taken = filling().job->Take(turn, address, pages, source);
    address = address + Bytes{taken};
    pages = pages.subspan(taken);
    if (pages.empty() && !filling().job->IsFull()) break;
    Start();
    // The output goes on as long as there is something for it.
    while (under_way_ > 0 && IsDone(slots_[oldest_])) STILLFRAME_TRY(TakeOldest());
  }
  return {};
}

Result<void> EncodeLine::Drain() {
  if (under_way_ < slots_.size() && !filling().job->IsEmpty()) Start();
  while (under_way_ > 0) STILLFRAME_TRY(TakeOldest());
  return {};
}

bool EncodeLine::IsDone(const Slot& slot) const {
  const std::lock_guard lock(mutex_);
  return slot.done;
}

void EncodeLine::Start() {
  Slot* const slot = &filling();
  slot->done = false;  // nobody else knows of it
  ++under_way_;
  const auto work = [this, slot] {
    slot->result = WorkWithoutExceptions(slot->job.get());
    // Told with the lock held: once it is let go, the line may be gone.
    const std::lock_guard lock(mutex_);
    slot->done = true;
    finished_.notify_one();
  };
  workers_ == nullptr ? work() : workers_->Push(work);
}

Result<void> EncodeLine::TakeOldest() {
  Slot& slot = slots_[oldest_];
  {
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [&slot] { return slot.done; });
  }
  oldest_ = (oldest_ + 1) % slots_.size();
  --under_way_;
  STILLFRAME_TRY(slot.result);
  STILLFRAME_TRY(take_(*slot.job));
  slot.job->Clear();
  return {};
}

}  // namespace stillframe
