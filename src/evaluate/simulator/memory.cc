#include "evaluate/simulator/memory.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

namespace stillframe::evaluate {
namespace {

constexpr int kTries = 64;
constexpr uint64_t kMostWordsLookedAt = 4096;
constexpr double kGoldenRatio = 0.6180339887498949;

// The x with value * x = 1 modulo `modulus`; the two have no common divisor.
uint64_t Inverse(uint64_t value, uint64_t modulus) {
  int64_t a = static_cast<int64_t>(value);
  int64_t b = static_cast<int64_t>(modulus);
  int64_t x = 1;
  int64_t y = 0;
  while (b != 0) {
    const int64_t quotient = a / b;
    a = std::exchange(b, a - quotient * b);
    x = std::exchange(y, x - quotient * y);
  }
  const int64_t m = static_cast<int64_t>(modulus);
  return static_cast<uint64_t>((x % m + m) % m);
}

double PowerSum(double from, double to, double exponent) {
  // The integral stands for the sum of 1/r^exponent: classes are uniform within anyway.
  if (std::abs(exponent - 1) < 1e-9) return std::log(to / from);
  return (std::pow(to, 1 - exponent) - std::pow(from, 1 - exponent)) / (1 - exponent);
}

}  // namespace

SimulatedMemory::SimulatedMemory(uint64_t pages, double skew)
    : pages_(pages), unsaved_(pages), words_((pages + 63) / 64) {
  if (skew > 0 && pages > 1) MakeClasses(skew);
}

void SimulatedMemory::MakeClasses(double skew) {
  to_rank_ =
      std::max<uint64_t>(1, static_cast<uint64_t>(static_cast<double>(pages_) * kGoldenRatio));
  while (std::gcd(to_rank_, pages_) != 1) ++to_rank_;
  to_page_ = Inverse(to_rank_, pages_);
  double total = 0;
  for (uint64_t first = 0; first < pages_;) {
    const uint64_t size = std::min(first + 1, pages_ - first);
    const double sum =
        PowerSum(static_cast<double>(first + 1), static_cast<double>(first + size + 1), skew);
    classes_.push_back({.first = first, .size = size, .unsaved = size, .weight = sum});
    total += sum;
    first += size;
  }
  for (Class& c : classes_) c.weight /= total * static_cast<double>(c.size);
}

void SimulatedMemory::Save(uint64_t page) {
  words_[page / 64] |= uint64_t{1} << (page % 64);
  --unsaved_;
  if (!skewed()) return;
  // Class i begins at rank 2^i - 1.
  Class& c = classes_[static_cast<size_t>(std::bit_width(RankOf(page) + 1)) - 1];
  --c.unsaved;
  hit_ -= c.weight;
}

uint64_t SimulatedMemory::NextUnsaved(uint64_t from, uint64_t end) const {
  while (from < end) {
    const uint64_t free = ~words_[from / 64] >> (from % 64);
    if (free != 0) return std::min(end, from + static_cast<uint64_t>(std::countr_zero(free)));
    from = (from / 64 + 1) * 64;
  }
  return end;
}

uint64_t SimulatedMemory::UnsavedRun(uint64_t from, uint64_t limit) const {
  limit = std::min(limit, pages_ - from);
  uint64_t run = 0;
  while (run < limit) {
    const uint64_t at = from + run;
    const uint64_t left_in_word = 64 - at % 64;
    const auto free = static_cast<uint64_t>(std::countr_zero(words_[at / 64] >> (at % 64)));
    run += std::min(free, left_in_word);
    if (free < left_in_word) break;
  }
  return std::min(run, limit);
}

double SimulatedMemory::HitProbability() const {
  if (!skewed()) return static_cast<double>(unsaved_) / static_cast<double>(pages_);
  return unsaved_ == 0 ? 0 : std::clamp(hit_, 0.0, 1.0);
}

std::optional<uint64_t> SimulatedMemory::PickUnsaved(Random& random) const {
  if (unsaved_ == 0) return std::nullopt;
  return skewed() ? PickSkewed(random) : PickUniform(random);
}

std::optional<uint64_t> SimulatedMemory::PickUniform(Random& random) const {
  for (int i = 0; i < kTries; ++i) {
    const uint64_t page = low_ + random.Below(pages_ - low_);
    if (!IsSaved(page)) return page;
  }
  const uint64_t from = low_ + random.Below(pages_ - low_);
  const uint64_t end = std::min(pages_, from + 64 * kMostWordsLookedAt);
  const uint64_t page = NextUnsaved(from, end);
  if (page < end) return page;
  return std::nullopt;
}

std::optional<uint64_t> SimulatedMemory::PickSkewed(Random& random) const {
  constexpr uint64_t kParts = uint64_t{1} << 53;
  double left =
      HitProbability() * static_cast<double>(random.Below(kParts)) / static_cast<double>(kParts);
  for (const Class& c : classes_) {
    const double mass = c.weight * static_cast<double>(c.unsaved);
    left -= mass;
    if (left >= 0 || c.unsaved == 0) continue;
    for (int i = 0; i < kTries; ++i) {
      const uint64_t page = PageOf(c.first + random.Below(c.size));
      if (!IsSaved(page)) return page;
    }
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace stillframe::evaluate
