#include "evaluate/protector.h"

#include <sys/mman.h>

#include <algorithm>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {

Protector::Protector(size_t pages, uint64_t seed)
    : memory_(MappedMemory::Anonymous(pages * kPageBytes)),
      pages_("protect", memory_.data(), pages, seed),
      random_(seed) {}

void Protector::Prepare() {
  for (size_t i = 0; i < pages_.size(); ++i) pages_.Write(i);
}

void Protector::Protect(int protection) {
  if (count_ == 0) return;
  if (mprotect(pages_.page(first_), count_ * kPageBytes, protection) != 0) {
    FailCall("protect", "mprotect");
  }
}

void Protector::Step() {
  Protect(PROT_READ | PROT_WRITE);
  for (size_t i = first_; i < first_ + count_; ++i) {
    pages_.Check(i);
    if (random_.Below(2) == 0) pages_.Write(i);
  }
  first_ = random_.Below(pages_.size());
  count_ = std::min(pages_.size() - first_, 1 + random_.Below(16));
  Protect(random_.Below(3) == 0 ? PROT_NONE : PROT_READ);
}

void Protector::CheckAll() {
  Protect(PROT_READ | PROT_WRITE);
  pages_.CheckAll();
}

void Protector::Corrupt() {
  Protect(PROT_READ | PROT_WRITE);
  for (size_t i = 0; i < pages_.size(); ++i) pages_.Corrupt(i);
}

}  // namespace stillframe::evaluate
