#include "evaluate/owned_pages.h"

#include <utility>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {

OwnedPages::OwnedPages(std::string owner, std::byte* memory, size_t pages, uint64_t seed)
    : owner_(std::move(owner)), memory_(memory), seed_(seed), generations_(pages, 0) {}

void OwnedPages::Write(size_t i) {
  // One count for all pages, so that a page that was discarded never gets the content again that it
  // had before.
  if (++next_ == 0) next_ = 1;
  FillPage(page(i), seed_, i, next_);
  generations_[i] = next_;
}

void OwnedPages::Check(size_t i) const {
  if (const auto offset = FindWrongWord(page(i), seed_, i, generations_[i])) {
    FailCheck(
        owner_,
        "page " + std::to_string(i) + " is not of generation " + std::to_string(generations_[i]),
        page(i) + *offset);
  }
}

void OwnedPages::CheckAll() const {
  for (size_t i = 0; i < size(); ++i) Check(i);
}

void OwnedPages::SettleFreed(size_t i) {
  if (generations_[i] != 0 && FindWrongWord(page(i), seed_, i, 0) == std::nullopt) {
    generations_[i] = 0;
  }
  Check(i);
}

void OwnedPages::Rebase(std::byte* memory, size_t pages) {
  memory_ = memory;
  generations_.resize(pages, 0);
}

void OwnedPages::Corrupt(size_t i) const { page(i)[kPageBytes / 2 + 1] ^= std::byte{0x10}; }

}  // namespace stillframe::evaluate
