#include "image/read_plan.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace stillframe {
namespace {

bool IsSameBlock(const QueuedPage& a, const QueuedPage& b) {
  return a.depth == b.depth && a.block == b.block;
}

// In one file.
bool Precedes(const QueuedPage& a, const QueuedPage& b) {
  return std::tie(a.block, a.page) < std::tie(b.block, b.page);
}

// By file and place in it. Pages that rise by address mostly rise in each of their files too: dealt
// out by file they are in order, which a sort of all of them would not see.
void Order(std::vector<QueuedPage>& pages, size_t files) {
  std::vector<size_t> behind(files + 1);  // of file i: where those before it end, at [i]
  for (const QueuedPage& page : pages) ++behind[page.depth + 1];
  const bool several = std::ranges::count_if(behind, [](size_t n) { return n > 0; }) > 1;
  std::partial_sum(behind.begin(), behind.end(), behind.begin());
  if (several) {
    std::vector<size_t> next = behind;
    std::vector<QueuedPage> dealt(pages.size());
    for (const QueuedPage& page : pages) dealt[next[page.depth]++] = page;
    pages = std::move(dealt);
  }
  for (size_t file = 0; file < files; ++file) {
    const auto of_file = std::span(pages).subspan(behind[file], behind[file + 1] - behind[file]);
    if (!std::ranges::is_sorted(of_file, Precedes)) std::ranges::sort(of_file, Precedes);
  }
}

// With a hash at hand each page of a raw block can be proven alone. Where most of the block is
// wanted its checksum is as good, and needs no hashes to be read.
bool AreReadAlone(const ImageChain& chain, std::span<const QueuedPage> of_block) {
  const WireIndexEntry& entry = *of_block.front().entry;
  return EncodingOf(entry) == WireEncoding::kRaw && of_block.size() * 2 <= entry.block_pages &&
         chain.image(of_block.front().depth).hashes().kept();
}

// The bytes of the file that a page needs.
PlannedRead ReadOf(const QueuedPage& page, size_t number) {
  if (page.alone) {
    return {.depth = page.depth,
            .begin = page.offset(),
            .end = page.offset() + kPageSize.count,
            .first = number,
            .count = 1};
  }
  return {.depth = page.depth,
          .begin = page.block,
          .end = page.block + page.entry->stored_bytes,
          .first = number,
          .count = 1};
}

// `next` begins where `read` does, or behind that.
bool CanJoin(const PlannedRead& read, const PlannedRead& next) {
  return read.depth == next.depth && next.begin <= read.end + kMostGap &&
         std::max(next.end, read.end) - read.begin <= kMostRead;
}

}  // namespace

std::vector<PlannedRead> PlanReads(const ImageChain& chain, std::vector<QueuedPage>& pages) {
  Order(pages, chain.size());
  std::vector<PlannedRead> reads;
  const std::span<QueuedPage> all(pages);
  for (size_t first = 0; first < pages.size();) {
    size_t end = first + 1;
    while (end < pages.size() && IsSameBlock(pages[first], pages[end])) ++end;
    const bool alone = AreReadAlone(chain, all.subspan(first, end - first));
    for (size_t i = first; i < end; ++i) {
      pages[i].alone = alone;
      const PlannedRead next = ReadOf(pages[i], i);
      if (!reads.empty() && CanJoin(reads.back(), next)) {
        reads.back().end = std::max(reads.back().end, next.end);
        ++reads.back().count;
      } else {
        reads.push_back(next);
      }
    }
    first = end;
  }
  return reads;
}

}  // namespace stillframe
