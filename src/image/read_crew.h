// Threads that do the reads of one plan together.
#ifndef STILLFRAME_IMAGE_READ_CREW_H_
#define STILLFRAME_IMAGE_READ_CREW_H_

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "image/block_gather.h"
#include "image/image_chain.h"
#include "image/read_plan.h"
#include "stillframe/error.h"
#include "stillframe/task_pool.h"

namespace stillframe {

// Each takes the next few reads when it has done its last. Who calls works too and does not wait
// for any who has not begun: tasks that the pool starts too late find nothing to do and touch
// nothing but this.
//
// Thread rule: Work from any thread; all else from the one that made it.
class ReadCrew : public std::enable_shared_from_this<ReadCrew> {
 public:
  // As many as work on one plan besides the caller: it bounds the memory, less than 1 MiB each.
  static constexpr size_t kMostHelpers = 7;

  // `chain` stays until Run has returned.
  ReadCrew(const ImageChain& chain, std::vector<QueuedPage> pages);

  // Returns when all is done. `workers` may be null; `gather` is the caller's own. Errors: of the
  // first read that failed, in the order of the files; then what stands behind it may not have been
  // read.
  Result<void> Run(TaskPool* workers, BlockGather& gather);

  // The pages, in the order of the files.
  std::span<const QueuedPage> pages() const { return pages_; }

 private:
  // Reads by their number, from `first` to before `end`.
  struct Share {
    size_t first = 0;
    size_t end = 0;
  };

  void Work(BlockGather& gather);
  // The next ones; nothing when there are none.
  std::optional<Share> Next();
  // Does them in order, up to the first one that fails, which `share` then begins with.
  Result<void> Do(Share& share, BlockGather& gather);
  // `share.first` failed, where `result` is an error.
  void Done(const Share& share, Result<void> result);
  // Read `number` is not in the page cache: has the disk bring those behind it as well.
  void ReadAhead(size_t number);

  const ImageChain& chain_;
  std::vector<QueuedPage> pages_;
  const std::vector<PlannedRead> reads_;

  std::mutex mutex_;
  std::condition_variable idle_;
  size_t next_ = 0;     // what no one has taken yet
  size_t working_ = 0;  // shares that were taken and are not done
  size_t ahead_ = 0;    // up to here the disk knows
  size_t ask_again_at_ = 0;
  size_t failed_ = 0;  // the number of the read that failed_with_ is of
  std::optional<Error> failed_with_;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_READ_CREW_H_
