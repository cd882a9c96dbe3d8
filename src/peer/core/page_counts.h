// How many pages a sink was told of.
#ifndef STILLFRAME_PEER_CORE_PAGE_COUNTS_H_
#define STILLFRAME_PEER_CORE_PAGE_COUNTS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "stillframe/page_sink.h"

namespace stillframe {

// Thread rule: any.
class PageCounts {
 public:
  void AddZero(uint64_t pages) { Add(&zero_, pages); }
  void AddLost(uint64_t pages) { Add(&lost_, pages); }
  void AddData(PageSource source, uint64_t pages) {
    Add(&by_source_[static_cast<size_t>(source)], pages);
  }
  // Begins anew. Not at once for one who reads meanwhile.
  void Clear() {
    zero_.store(0, std::memory_order_relaxed);
    lost_.store(0, std::memory_order_relaxed);
    for (auto& count : by_source_) count.store(0, std::memory_order_relaxed);
  }

  uint64_t data() const {
    uint64_t sum = 0;
    for (const auto& count : by_source_) sum += Load(count);
    return sum;
  }
  uint64_t total() const { return Load(zero_) + Load(lost_) + data(); }
  SinkCounters WithWritten(Bytes written) const {
    const auto saved_by = [this](PageSource source) {
      return Pages{Load(by_source_[static_cast<size_t>(source)])};
    };
    return {.zero = {Load(zero_)},
            .scanned = saved_by(PageSource::kScanned),
            .faulted = saved_by(PageSource::kFaulted),
            .paused = saved_by(PageSource::kPaused),
            .lost = {Load(lost_)},
            .written = written};
  }

 private:
  using Count = std::atomic<uint64_t>;

  static void Add(Count* count, uint64_t pages) {
    count->fetch_add(pages, std::memory_order_relaxed);
  }
  static uint64_t Load(const Count& count) { return count.load(std::memory_order_relaxed); }

  Count zero_ = 0;
  Count lost_ = 0;
  std::array<Count, 4> by_source_ = {};  // PageSource is the place
};

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_PAGE_COUNTS_H_
