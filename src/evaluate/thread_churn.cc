#include "evaluate/thread_churn.h"

#include <thread>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {
namespace {

void UseStack(uint64_t seed) {
  alignas(sizeof(uint64_t)) std::byte pages[8][kPageBytes];
  for (size_t i = 0; i < 8; ++i) FillPage(pages[i], seed, i, 1);
  for (size_t i = 0; i < 8; ++i) {
    if (FindWrongWord(pages[i], seed, i, 1)) FailCheck("threads", "stack of a thread", pages[i]);
  }
}

}  // namespace

ThreadChurn::ThreadChurn(size_t pages, uint64_t seed)
    : memory_(MappedMemory::Anonymous(pages * kPageBytes)),
      pages_("threads", memory_.data(), pages, seed),
      random_(seed) {}

void ThreadChurn::Step() {
  const size_t i = random_.Below(pages_.size());
  const uint64_t seed = random_.Below(UINT64_MAX);
  // Only the first one touches the pages, so they have one owner still.
  std::thread writer([this, i, seed] {
    UseStack(seed);
    pages_.Check(i);
    pages_.Write(i);
  });
  std::thread other([seed] { UseStack(seed + 1); });
  writer.join();
  other.join();
  pages_.Check(i);
}

void ThreadChurn::Corrupt() {
  for (size_t i = 0; i < pages_.size(); ++i) pages_.Corrupt(i);
}

}  // namespace stillframe::evaluate
