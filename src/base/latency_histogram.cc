#include "base/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace stillframe {

// Values below 2^kSubBits have a bucket each; above, the top kSubBits+1 bits of the value choose
// it.
size_t LatencyHistogram::BucketOf(uint64_t ns) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(ns)) - (kSubBits + 1));
  return (static_cast<size_t>(shift) << kSubBits) + static_cast<size_t>(ns >> shift);
}

uint64_t LatencyHistogram::HighestIn(size_t bucket) {
  if (bucket < (size_t{2} << kSubBits)) return bucket;
  const size_t shift = (bucket >> kSubBits) - 1;
  const uint64_t mantissa = bucket - (shift << kSubBits);
  return ((mantissa + 1) << shift) - 1;
}

void LatencyHistogram::Record(Duration value) {
  const int64_t ns = std::max<int64_t>(0, value.count());
  auto& bucket = buckets_[BucketOf(static_cast<uint64_t>(ns))];
  bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (ns > max_.load(std::memory_order_relaxed)) max_.store(ns, std::memory_order_relaxed);
  count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

Duration LatencyHistogram::Quantile(double quantile) const {
  const uint64_t total = count();
  if (total == 0) return Duration(0);
  const auto rank = static_cast<uint64_t>(std::clamp(
      std::ceil(quantile * static_cast<double>(total)), 1.0, static_cast<double>(total)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i].load(std::memory_order_relaxed);
    if (seen >= rank) return std::min(Duration(static_cast<int64_t>(HighestIn(i))), max());
  }
  return max();
}

uint64_t LatencyHistogram::CountAbove(Duration limit) const {
  uint64_t above = 0;
  const size_t first = BucketOf(static_cast<uint64_t>(std::max<int64_t>(0, limit.count()))) + 1;
  for (size_t i = first; i < kBuckets; ++i) above += buckets_[i].load(std::memory_order_relaxed);
  return above;
}

}  // namespace stillframe
