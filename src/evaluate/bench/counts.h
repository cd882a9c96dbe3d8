// Counts of latencies in the buckets of LatencyHistogram, up to about a minute, to be added up.
#ifndef STILLFRAME_EVALUATE_BENCH_COUNTS_H_
#define STILLFRAME_EVALUATE_BENCH_COUNTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/latency_histogram.h"
#include "stillframe/units.h"

namespace stillframe::evaluate {

// Thread rule: one thread.
class LatencyCounts {
 public:
  // Up to 2^36 ns, 68 s; the last bucket holds what is longer as well. As many 32-bit counters fill
  // one page.
  static constexpr size_t kBuckets = 1024;
  static size_t BucketOf(Duration latency);
  static Duration LowestIn(size_t bucket);
  static Duration HighestIn(size_t bucket);

  LatencyCounts() : counts_(kBuckets, 0) {}

  void Add(Duration latency, uint64_t count = 1);
  // The two halves of Add, for who has the bucket only: max() knows no more than it is told.
  void AddToBucket(size_t bucket, uint64_t count);
  void NoteLongest(Duration longest);
  void Add(const LatencyCounts& other);

  uint64_t count() const { return count_; }
  uint64_t in_bucket(size_t bucket) const { return counts_[bucket]; }
  // The longest there was, exactly; zero while empty.
  Duration max() const { return max_; }
  // The highest value of the bucket that holds the quantile (0 to 1), never above max().
  Duration Quantile(double quantile) const;
  // Records above `limit`, to the bucket's accuracy (1/32).
  uint64_t CountAbove(Duration limit) const;

 private:
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  Duration max_{0};
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_COUNTS_H_
