#include "evaluate/bench/churn.h"

#include "evaluate/discarder.h"
#include "evaluate/malloc_churn.h"
#include "evaluate/remapper.h"

namespace stillframe::evaluate {
namespace {

constexpr size_t kDiscardedPages = 4096;
constexpr size_t kMovedPages = 1024;

}  // namespace

BenchChurn::BenchChurn(uint64_t seed)
    : parts_{std::make_unique<MallocChurn>(MallocChurn::Plan{}, seed),
             std::make_unique<Discarder>(kDiscardedPages, seed),
             std::make_unique<Remapper>(kMovedPages, seed)} {}

void BenchChurn::Prepare() {
  for (const auto& part : parts_) part->Prepare();
}

void BenchChurn::Step() {
  parts_[next_]->Step();
  next_ = (next_ + 1) % parts_.size();
}

void BenchChurn::CheckAll() {
  for (const auto& part : parts_) part->CheckAll();
}

void BenchChurn::Corrupt() {
  for (const auto& part : parts_) part->Corrupt();
}

}  // namespace stillframe::evaluate
