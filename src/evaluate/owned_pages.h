// Pages that one activity owns, with a table beside them of what each must hold.
#ifndef STILLFRAME_EVALUATE_OWNED_PAGES_H_
#define STILLFRAME_EVALUATE_OWNED_PAGES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "evaluate/page_pattern.h"

namespace stillframe::evaluate {

// What a page must hold follows from the table, which lives in other memory: an old page that comes
// back is found, not only a torn one. A check that fails ends the process (check_failure.h).
//
// Thread rule: one thread.
class OwnedPages {
 public:
  // `memory` holds `pages` pages, all of them zero so far, and outlives this unless moved by
  // Rebase.
  OwnedPages(std::string owner, std::byte* memory, size_t pages, uint64_t seed);

  size_t size() const { return generations_.size(); }
  std::byte* page(size_t i) const { return memory_ + i * kPageBytes; }

  // Gives the page its next content.
  void Write(size_t i);
  void Check(size_t i) const;
  void CheckAll() const;
  // The page was discarded: from now on it must be zero.
  void Discarded(size_t i) { generations_[i] = 0; }
  // For a page under MADV_FREE: either its content or zero, wholly. Takes what it finds as what it
  // must hold.
  void SettleFreed(size_t i);
  // The memory has moved, or has another size: pages that are new are zero.
  void Rebase(std::byte* memory, size_t pages);
  // Puts a wrong byte, so that a test can show that the checks find it.
  void Corrupt(size_t i) const;

 private:
  std::string owner_;
  std::byte* memory_;
  uint64_t seed_;
  std::vector<uint32_t> generations_;  // 0: the page must be zero
  uint32_t next_ = 0;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_OWNED_PAGES_H_
