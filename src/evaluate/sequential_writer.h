// Writes the pages of its part of the arena in order, round and round.
#ifndef STILLFRAME_EVALUATE_SEQUENTIAL_WRITER_H_
#define STILLFRAME_EVALUATE_SEQUENTIAL_WRITER_H_

#include "evaluate/activity.h"
#include "evaluate/owned_pages.h"

namespace stillframe::evaluate {

class SequentialWriter final : public Activity {
 public:
  // `memory`: `pages` zero pages of its own; outlives this.
  SequentialWriter(std::byte* memory, size_t pages, uint64_t seed);

  void Prepare() override;
  void Step() override;
  void CheckAll() override { pages_.CheckAll(); }
  // The page that is due next, so that it is found at once.
  void Corrupt() override { pages_.Corrupt(next_); }

 private:
  OwnedPages pages_;
  size_t next_ = 0;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SEQUENTIAL_WRITER_H_
