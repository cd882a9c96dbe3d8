#include "evaluate/remapper.h"

namespace stillframe::evaluate {

Remapper::Remapper(size_t pages, uint64_t seed)
    : size_(pages),
      memory_(MappedMemory::Anonymous(pages * kPageBytes)),
      pages_("remap", memory_.data(), pages, seed),
      random_(seed) {}

void Remapper::Prepare() {
  for (size_t i = 0; i < pages_.size(); ++i) pages_.Write(i);
}

void Remapper::Resize(size_t pages) {
  memory_.Resize(pages * kPageBytes);
  pages_.Rebase(memory_.data(), pages);
}

void Remapper::Step() {
  switch (random_.Below(4)) {
    case 0:
      Resize(size_ + random_.Below(size_ / 2) + 1);
      break;
    case 1:
      Resize(size_ - random_.Below(size_ / 2));
      break;
    default:
      memory_.Move();
      pages_.Rebase(memory_.data(), pages_.size());
      break;
  }
  // A run of pages, old and new ones: some are checked only, some written.
  const size_t first = random_.Below(pages_.size());
  for (size_t i = first; i < pages_.size() && i < first + 8; ++i) {
    pages_.Check(i);
    if (random_.Below(2) == 0) pages_.Write(i);
  }
}

void Remapper::Corrupt() {
  for (size_t i = 0; i < pages_.size(); ++i) pages_.Corrupt(i);
}

}  // namespace stillframe::evaluate
