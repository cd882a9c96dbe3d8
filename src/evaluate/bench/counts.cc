#include "evaluate/bench/counts.h"

#include <algorithm>
#include <cmath>

namespace stillframe::evaluate {

size_t LatencyCounts::BucketOf(Duration latency) {
  const auto ns = static_cast<uint64_t>(std::max<int64_t>(0, latency.count()));
  return std::min(LatencyHistogram::BucketOf(ns), kBuckets - 1);
}

Duration LatencyCounts::HighestIn(size_t bucket) {
  return Duration(static_cast<int64_t>(LatencyHistogram::HighestIn(bucket)));
}

Duration LatencyCounts::LowestIn(size_t bucket) {
  return bucket == 0 ? Duration(0) : HighestIn(bucket - 1) + Duration(1);
}

void LatencyCounts::Add(Duration latency, uint64_t count) {
  if (count == 0) return;
  AddToBucket(BucketOf(latency), count);
  NoteLongest(latency);
}

void LatencyCounts::AddToBucket(size_t bucket, uint64_t count) {
  counts_[bucket] += count;
  count_ += count;
}

void LatencyCounts::NoteLongest(Duration longest) { max_ = std::max(max_, longest); }

void LatencyCounts::Add(const LatencyCounts& other) {
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

Duration LatencyCounts::Quantile(double quantile) const {
  if (count_ == 0) return Duration(0);
  const auto rank = static_cast<uint64_t>(std::clamp(
      std::ceil(quantile * static_cast<double>(count_)), 1.0, static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i + 1 < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::min(HighestIn(i), max_);
  }
  return max_;
}

uint64_t LatencyCounts::CountAbove(Duration limit) const {
  uint64_t above = 0;
  for (size_t i = BucketOf(limit) + 1; i < kBuckets; ++i) above += counts_[i];
  return above;
}

}  // namespace stillframe::evaluate
