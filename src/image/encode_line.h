// Blocks on their way through the encoders: worked on in any order, handed on in the order in which
// they came.
#ifndef STILLFRAME_IMAGE_ENCODE_LINE_H_
#define STILLFRAME_IMAGE_ENCODE_LINE_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "image/block_job.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/task_pool.h"

namespace stillframe {

// So the image is the same whatever the number of threads. Bounded: a few jobs for each thread;
// when all of them are under way, whoever adds pages waits for the first.
//
// Thread rule: one thread at a time.
class EncodeLine {
 public:
  struct Options {
    Pages block;  // the most pages of one
    Compression compression;
    const ParentPages* parent = nullptr;  // outlives it
    std::shared_ptr<TaskPool> workers;    // null: the work is done by whoever adds
  };
  // What is done with a job that is finished.
  using Take = std::function<Result<void>(const BlockJob&)>;

  // Errors: as BlockJob::Create.
  static Result<std::unique_ptr<EncodeLine>> Create(const Options& options, Take take);
  // Waits for the jobs that are under way.
  ~EncodeLine();
  EncodeLine(const EncodeLine&) = delete;
  EncodeLine& operator=(const EncodeLine&) = delete;

  // Copies the pages, any number; the last of them may wait for more to come. Hands on what is
  // finished by now. Errors: those of `take` and of BlockJob::Work; after one the line is good for
  // nothing but destruction.
  Result<void> Add(uint64_t turn, TargetAddress address, std::span<const std::byte> pages,
                   PageSource source);
  // Hands on all.
  Result<void> Drain();

 private:
  struct Slot {
    std::unique_ptr<BlockJob> job;
    Result<void> result;
    bool done = false;  // guarded by mutex_
  };

  EncodeLine(std::shared_ptr<TaskPool> workers, Take take)
      : workers_(std::move(workers)), take_(std::move(take)) {}

  // The one that is being filled, where not all are under way.
  Slot& filling() { return slots_[(oldest_ + under_way_) % slots_.size()]; }
  bool IsDone(const Slot& slot) const;
  // Has the one that is being filled worked on.
  void Start();
  // Waits for the oldest job and hands it on.
  Result<void> TakeOldest();

  const std::shared_ptr<TaskPool> workers_;
  const Take take_;
  std::vector<Slot> slots_;  // a ring
  size_t oldest_ = 0;
  size_t under_way_ = 0;  // the one behind them is empty, or being filled

  mutable std::mutex mutex_;
  std::condition_variable finished_;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_ENCODE_LINE_H_
