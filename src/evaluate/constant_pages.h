// Memory that nobody may write: read-only, not accessible at all, and a private copy of a file.
#ifndef STILLFRAME_EVALUATE_CONSTANT_PAGES_H_
#define STILLFRAME_EVALUATE_CONSTANT_PAGES_H_

#include "evaluate/activity.h"
#include "evaluate/mapped_memory.h"
#include "evaluate/owned_pages.h"
#include "evaluate/scratch_file.h"

namespace stillframe::evaluate {

class ConstantPages final : public Activity {
 public:
  // `pages`: of each of the three. `file` outlives this and has at least as many.
  ConstantPages(size_t pages, const ScratchFile& file, uint64_t seed);

  void Prepare() override;
  // Checks a page of each.
  void Step() override;
  void CheckAll() override;
  void Corrupt() override;

 private:
  void CheckHidden(size_t i);
  void CheckOfFile(size_t i) const;

  const ScratchFile& file_;
  MappedMemory read_only_memory_;
  MappedMemory hidden_memory_;
  MappedMemory of_file_;
  OwnedPages read_only_;
  OwnedPages hidden_;
  Random random_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_CONSTANT_PAGES_H_
