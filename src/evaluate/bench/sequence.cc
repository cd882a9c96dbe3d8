#include "evaluate/bench/sequence.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace stillframe::evaluate {
namespace {

class Uniform final : public WriteSequence {
 public:
  Uniform(uint64_t pages, uint64_t seed) : pages_(pages), random_(seed) {}
  uint64_t Next() override { return random_.Below(pages_); }

 private:
  const uint64_t pages_;
  Random random_;
};

class Sequential final : public WriteSequence {
 public:
  explicit Sequential(uint64_t pages) : pages_(pages) {}
  uint64_t Next() override {
    const uint64_t page = next_;
    next_ = (next_ + 1) % pages_;
    return page;
  }

 private:
  const uint64_t pages_;
  uint64_t next_ = 0;
};

// Rank r (from 0) with a probability in proportion to 1 / (r + 1)^kExponent, by the method of
// Gray and others, "Quickly generating billion-record synthetic databases" (1994): one random
// number for each rank, exact for the first two and a smooth curve behind them.
class Zipf final : public WriteSequence {
 public:
  Zipf(uint64_t pages, uint64_t seed) : pages_(pages), random_(seed) {
    zeta_ = ZetaOf(pages);
    const double n = static_cast<double>(pages);
    eta_ =
        (1 - std::pow(2 / n, 1 - kExponent)) / (1 - ZetaOf(std::min<uint64_t>(2, pages)) / zeta_);
    while (std::gcd(stride_, pages_) != 1) ++stride_;
  }

  // Neighbours in rank lie far from each other, or the popular pages would share page tables.
  uint64_t Next() override {
    const unsigned __int128 place = static_cast<unsigned __int128>(Rank()) * stride_;
    return static_cast<uint64_t>(place % pages_);
  }

 private:
  static constexpr double kExponent = 0.99;  // as YCSB has it

  static double ZetaOf(uint64_t n) {
    double zeta = 0;
    for (uint64_t i = 1; i <= n; ++i) zeta += 1 / std::pow(static_cast<double>(i), kExponent);
    return zeta;
  }

  uint64_t Rank() {
    constexpr uint64_t kResolution = uint64_t{1} << 53;
    const double u =
        static_cast<double>(random_.Below(kResolution)) / static_cast<double>(kResolution);
    const double part = u * zeta_;
    if (part < 1 || pages_ == 1) return 0;
    if (part < 1 + std::pow(0.5, kExponent) || pages_ == 2) return 1;
    const double rank =
        static_cast<double>(pages_) * std::pow(eta_ * u - eta_ + 1, 1 / (1 - kExponent));
    return std::min(static_cast<uint64_t>(rank), pages_ - 1);
  }

  const uint64_t pages_;
  uint64_t stride_ = 0x9e3779b1;
  double zeta_ = 0;
  double eta_ = 0;
  Random random_;
};

}  // namespace

std::unique_ptr<WriteSequence> MakeWriteSequence(WriteSpread spread, uint64_t pages,
                                                 uint64_t seed) {
  switch (spread) {
    case WriteSpread::kZipf:
      return std::make_unique<Zipf>(pages, seed);
    case WriteSpread::kSequential:
      return std::make_unique<Sequential>(pages);
    case WriteSpread::kUniform:
      break;
  }
  return std::make_unique<Uniform>(pages, seed);
}

}  // namespace stillframe::evaluate
