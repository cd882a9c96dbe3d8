#include "evaluate/discarder.h"

#include <sys/mman.h>

#include <algorithm>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {

Discarder::Discarder(size_t pages, uint64_t seed)
    : memory_(MappedMemory::Anonymous(pages * kPageBytes)),
      pages_("discard", memory_.data(), pages, seed),
      random_(seed) {}

void Discarder::Prepare() {
  for (size_t i = 0; i < pages_.size(); ++i) pages_.Write(i);
}

void Discarder::TouchFreed() {
  for (size_t i = freed_first_; i < freed_first_ + freed_count_; ++i) {
    // The first write after MADV_FREE keeps what is left of the page, so a partial one shows which
    // of the two it was.
    pages_.SettleFreed(i);
    pages_.Write(i);
    pages_.Check(i);
  }
  freed_count_ = 0;
}

void Discarder::Step() {
  TouchFreed();
  const size_t first = random_.Below(pages_.size());
  const size_t count = std::min(pages_.size() - first, 1 + random_.Below(32));
  for (size_t i = first; i < first + count; ++i) pages_.Check(i);
  if (random_.Below(2) == 0) {
    if (madvise(pages_.page(first), count * kPageBytes, MADV_FREE) != 0) {
      FailCall("discard", "madvise(MADV_FREE)");
    }
    freed_first_ = first;
    freed_count_ = count;
    return;
  }
  if (madvise(pages_.page(first), count * kPageBytes, MADV_DONTNEED) != 0) {
    FailCall("discard", "madvise(MADV_DONTNEED)");
  }
  for (size_t i = first; i < first + count; ++i) {
    pages_.Discarded(i);
    // Some stay holes, some are read (and so become the zero page), some are written.
    const uint64_t what = random_.Below(4);
    if (what == 1) pages_.Check(i);
    if (what >= 2) pages_.Write(i);
  }
}

void Discarder::CheckAll() {
  TouchFreed();
  pages_.CheckAll();
}

void Discarder::Corrupt() {
  for (size_t i = 0; i < pages_.size(); ++i) pages_.Corrupt(i);
}

}  // namespace stillframe::evaluate
