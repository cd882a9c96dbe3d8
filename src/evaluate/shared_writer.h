// Writes into shared memory: a memfd and an anonymous mapping.
#ifndef STILLFRAME_EVALUATE_SHARED_WRITER_H_
#define STILLFRAME_EVALUATE_SHARED_WRITER_H_

#include "base/unique_fd.h"
#include "evaluate/activity.h"
#include "evaluate/mapped_memory.h"
#include "evaluate/owned_pages.h"

namespace stillframe::evaluate {

class SharedWriter final : public Activity {
 public:
  // `pages`: of each of the two.
  SharedWriter(size_t pages, uint64_t seed);

  void Prepare() override;
  void Step() override;
  void CheckAll() override;
  void Corrupt() override;

 private:
  UniqueFd memfd_;
  MappedMemory of_memfd_;
  MappedMemory anonymous_;
  OwnedPages memfd_pages_;
  OwnedPages anonymous_pages_;
  Random random_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SHARED_WRITER_H_
