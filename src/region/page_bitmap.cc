#include "region/page_bitmap.h"

#include <algorithm>
#include <bit>

namespace stillframe {
namespace {

constexpr uint64_t kBits = 64;

// `count` ones from bit `first` on; first + count <= 64.
uint64_t Mask(uint64_t first, uint64_t count) {
  const uint64_t ones = count == kBits ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
  return ones << first;
}

}  // namespace

PageBitmap::PageBitmap(Pages size) : size_(size), words_((size.count + kBits - 1) / kBits) {}

bool PageBitmap::Test(PageIndex page) const {
  return (words_[page.value / kBits].load(std::memory_order_acquire) >> (page.value % kBits) & 1) !=
         0;
}

bool PageBitmap::TestAndSet(PageIndex page) {
  const uint64_t bit = uint64_t{1} << (page.value % kBits);
  return (words_[page.value / kBits].fetch_or(bit, std::memory_order_acq_rel) & bit) == 0;
}

void PageBitmap::Clear(PageIndex page) {
  const uint64_t bit = uint64_t{1} << (page.value % kBits);
  words_[page.value / kBits].fetch_and(~bit, std::memory_order_acq_rel);
}

void PageBitmap::SetRun(PageRun run) {
  uint64_t at = run.first.value;
  const uint64_t end = run.end().value;
  while (at < end) {
    const uint64_t n = std::min(kBits - at % kBits, end - at);
    words_[at / kBits].fetch_or(Mask(at % kBits, n), std::memory_order_acq_rel);
    at += n;
  }
}

void PageBitmap::ClearRun(PageRun run) {
  uint64_t at = run.first.value;
  const uint64_t end = run.end().value;
  while (at < end) {
    const uint64_t n = std::min(kBits - at % kBits, end - at);
    words_[at / kBits].fetch_and(~Mask(at % kBits, n), std::memory_order_acq_rel);
    at += n;
  }
}

PageRun PageBitmap::ClaimPrefix(PageRun run) {
  uint64_t at = run.first.value;
  const uint64_t end = run.end().value;
  while (at < end) {
    const uint64_t bit = at % kBits;
    const uint64_t wanted = std::min(kBits - bit, end - at);
    auto& word = words_[at / kBits];
    uint64_t old = word.load(std::memory_order_acquire);
    uint64_t got = 0;
    do {
      got = std::min<uint64_t>(wanted, static_cast<uint64_t>(std::countr_zero(old >> bit)));
      if (got == 0) break;
    } while (!word.compare_exchange_weak(old, old | Mask(bit, got), std::memory_order_acq_rel));
    at += got;
    if (got < wanted) break;
  }
  return {run.first, Pages{at - run.first.value}};
}

PageIndex PageBitmap::Find(PageIndex from, PageIndex end, bool inverted) const {
  uint64_t at = from.value;
  while (at < end.value) {
    uint64_t word = words_[at / kBits].load(std::memory_order_acquire);
    if (inverted) word = ~word;
    word >>= at % kBits;
    if (word != 0) {
      return {std::min(end.value, at + static_cast<uint64_t>(std::countr_zero(word)))};
    }
    at += kBits - at % kBits;
  }
  return end;
}

PageRun PageBitmap::Next(PageRun within, bool inverted) const {
  const PageIndex first = Find(within.first, within.end(), inverted);
  const PageIndex end = Find(first, within.end(), !inverted);
  return {first, end - first};
}

Pages PageBitmap::CountSet() const {
  Pages total;
  for (const auto& word : words_) {
    total.count += static_cast<uint64_t>(std::popcount(word.load(std::memory_order_acquire)));
  }
  return total;
}

}  // namespace stillframe
