// Writes the pages of its part of the arena in random order.
#ifndef STILLFRAME_EVALUATE_RANDOM_WRITER_H_
#define STILLFRAME_EVALUATE_RANDOM_WRITER_H_

#include "evaluate/activity.h"
#include "evaluate/owned_pages.h"

namespace stillframe::evaluate {

class RandomWriter final : public Activity {
 public:
  // `memory`: `pages` zero pages of its own; outlives this.
  RandomWriter(std::byte* memory, size_t pages, uint64_t seed);

  void Prepare() override;
  // Checks a page, then writes it anew.
  void Step() override;
  void CheckAll() override { pages_.CheckAll(); }
  void Corrupt() override { pages_.Corrupt(random_.Below(pages_.size())); }

 private:
  OwnedPages pages_;
  Random random_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_RANDOM_WRITER_H_
