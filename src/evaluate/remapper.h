// Grows, shrinks and moves a mapping.
#ifndef STILLFRAME_EVALUATE_REMAPPER_H_
#define STILLFRAME_EVALUATE_REMAPPER_H_

#include "evaluate/activity.h"
#include "evaluate/mapped_memory.h"
#include "evaluate/owned_pages.h"

namespace stillframe::evaluate {

class Remapper final : public Activity {
 public:
  // `pages`: its size on average, at least 4.
  Remapper(size_t pages, uint64_t seed);

  void Prepare() override;
  void Step() override;
  void CheckAll() override { pages_.CheckAll(); }
  void Corrupt() override;

 private:
  void Resize(size_t pages);

  const size_t size_;
  MappedMemory memory_;
  OwnedPages pages_;
  Random random_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_REMAPPER_H_
