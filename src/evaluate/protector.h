// Takes away the right to write or read from parts of its memory, and gives it back.
#ifndef STILLFRAME_EVALUATE_PROTECTOR_H_
#define STILLFRAME_EVALUATE_PROTECTOR_H_

#include "evaluate/activity.h"
#include "evaluate/mapped_memory.h"
#include "evaluate/owned_pages.h"

namespace stillframe::evaluate {

class Protector final : public Activity {
 public:
  // `pages` at least 16.
  Protector(size_t pages, uint64_t seed);

  void Prepare() override;
  void Step() override;
  void CheckAll() override;
  void Corrupt() override;

 private:
  void Protect(int protection);

  MappedMemory memory_;
  OwnedPages pages_;
  Random random_;
  // The run that is under another protection until the next step.
  size_t first_ = 0;
  size_t count_ = 0;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_PROTECTOR_H_
