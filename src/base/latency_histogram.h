// A histogram of durations with a relative error of at most 1/32, in fixed memory: the idea of
// HdrHistogram.
#ifndef STILLFRAME_BASE_LATENCY_HISTOGRAM_H_
#define STILLFRAME_BASE_LATENCY_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "stillframe/units.h"

namespace stillframe {

// Thread rule: one writer; readers at any time, who may see a record late.
class LatencyHistogram {
 public:
  // Negative counts as zero. No allocation.
  void Record(Duration value);

  uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  Duration max() const { return Duration(max_.load(std::memory_order_relaxed)); }
  // The highest value of the bucket that holds the quantile (0 to 1), never above max(); zero while
  // empty.
  Duration Quantile(double quantile) const;
  // How many records were above `limit`, to the bucket's accuracy.
  uint64_t CountAbove(Duration limit) const;

  // The buckets, for who counts in them elsewhere: which one holds a value, and the highest that
  // one holds. They rise with the value.
  static constexpr int kSubBits = 5;  // 32 buckets to each power of two
  static constexpr size_t kBuckets = (64 - kSubBits + 1) << kSubBits;
  static size_t BucketOf(uint64_t ns);
  static uint64_t HighestIn(size_t bucket);

 private:
  std::array<std::atomic<uint64_t>, kBuckets> buckets_ = {};
  std::atomic<uint64_t> count_ = 0;
  std::atomic<int64_t> max_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_BASE_LATENCY_HISTOGRAM_H_
