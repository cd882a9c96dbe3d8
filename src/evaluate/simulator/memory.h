// The pages of a simulated target: which are saved, and how often each is written.
#ifndef STILLFRAME_EVALUATE_SIMULATOR_MEMORY_H_
#define STILLFRAME_EVALUATE_SIMULATOR_MEMORY_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "evaluate/page_pattern.h"

namespace stillframe::evaluate {

// One bit a page: 32 MiB for 1 TiB.
//
// Popularity is uniform, or skewed like Zipf's law with the exponent `skew`: pages are ranked at
// random, ranks are put into classes of which each is twice as large as the one before, and within
// a class all pages are alike. So the probability that a write finds a page unsaved can be kept up
// to date for each page at the price of an addition.
//
// Thread rule: one thread.
class SimulatedMemory {
 public:
  static constexpr uint64_t kMostPages = uint64_t{1} << 31;  // 8 TiB

  // `pages`: 1 to kMostPages. `skew`: 0 for uniform, below 2.
  SimulatedMemory(uint64_t pages, double skew);

  uint64_t pages() const { return pages_; }
  uint64_t unsaved() const { return unsaved_; }
  bool IsSaved(uint64_t page) const { return (words_[page / 64] >> (page % 64) & 1) != 0; }
  void Save(uint64_t page);

  // The first unsaved page in [from, end); `end` when there is none. Looks at 64 pages a step.
  uint64_t NextUnsaved(uint64_t from, uint64_t end) const;
  // How many pages from `from` on are unsaved, at most `limit`.
  uint64_t UnsavedRun(uint64_t from, uint64_t limit) const;
  // All pages below `page` are saved: nobody need look for one there.
  void NoteSavedBelow(uint64_t page) { low_ = page; }

  // That a write goes to a page that is unsaved.
  double HitProbability() const;
  // An unsaved page, by popularity. None where it would take too long to find one of the few that
  // are left.
  std::optional<uint64_t> PickUnsaved(Random& random) const;

 private:
  struct Class {
    uint64_t first = 0;  // rank
    uint64_t size = 0;
    uint64_t unsaved = 0;
    double weight = 0;  // of one page: the probability that a write goes to it
  };

  bool skewed() const { return !classes_.empty(); }
  uint64_t RankOf(uint64_t page) const { return page * to_rank_ % pages_; }
  uint64_t PageOf(uint64_t rank) const { return rank * to_page_ % pages_; }
  void MakeClasses(double skew);
  std::optional<uint64_t> PickUniform(Random& random) const;
  std::optional<uint64_t> PickSkewed(Random& random) const;

  const uint64_t pages_;
  uint64_t unsaved_;
  uint64_t low_ = 0;
  std::vector<uint64_t> words_;
  std::vector<Class> classes_;  // none where all pages are alike
  uint64_t to_rank_ = 1;        // and back: inverse to each other modulo pages_
  uint64_t to_page_ = 1;
  double hit_ = 1;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SIMULATOR_MEMORY_H_
