// Gives pages back by MADV_DONTNEED and MADV_FREE and touches them again.
#ifndef STILLFRAME_EVALUATE_DISCARDER_H_
#define STILLFRAME_EVALUATE_DISCARDER_H_

#include "evaluate/activity.h"
#include "evaluate/mapped_memory.h"
#include "evaluate/owned_pages.h"

namespace stillframe::evaluate {

class Discarder final : public Activity {
 public:
  // `pages` at least 16.
  Discarder(size_t pages, uint64_t seed);

  void Prepare() override;
  void Step() override;
  void CheckAll() override;
  void Corrupt() override;

 private:
  // What lies under MADV_FREE since the last step is looked at and written again.
  void TouchFreed();

  MappedMemory memory_;
  OwnedPages pages_;
  Random random_;
  size_t freed_first_ = 0;
  size_t freed_count_ = 0;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_DISCARDER_H_
