#include "peer/core/page_states.h"

#include <algorithm>

namespace stillframe {

void PageStates::Set(uint64_t first, uint64_t count, PageState state) {
  const uint64_t end = first + count;
  if (count > 0 && chunks_.size() <= (end - 1) / kChunkPages) {
    chunks_.resize(static_cast<size_t>((end - 1) / kChunkPages + 1));
  }
  while (first < end) {
    Chunk& chunk = chunks_[static_cast<size_t>(first / kChunkPages)];
    const uint64_t at = first % kChunkPages;
    const uint64_t n = std::min(end - first, kChunkPages - at);
    if (n == kChunkPages) {
      chunk.pages.reset();
      chunk.all = state;
    } else if (chunk.pages || chunk.all != state) {
      if (!chunk.pages) {
        chunk.pages = std::make_unique<std::array<PageState, kChunkPages>>();
        chunk.pages->fill(chunk.all);
      }
      std::fill_n(chunk.pages->begin() + static_cast<ptrdiff_t>(at), n, state);
    }
    first += n;
  }
}

PageStates::Run PageStates::RunAt(uint64_t first, uint64_t end) const {
  const uint64_t number = first / kChunkPages;
  if (number >= chunks_.size()) return {.first = first, .count = end - first, .state = {}};
  const Chunk& chunk = chunks_[static_cast<size_t>(number)];
  const uint64_t at = first % kChunkPages;
  const uint64_t most = std::min(end - first, kChunkPages - at);
  if (!chunk.pages) return {.first = first, .count = most, .state = chunk.all};
  const auto begin = chunk.pages->begin() + static_cast<ptrdiff_t>(at);
  const auto stop = std::find_if(begin, begin + static_cast<ptrdiff_t>(most),
                                 [begin](PageState state) { return state != *begin; });
  return {.first = first, .count = static_cast<uint64_t>(stop - begin), .state = *begin};
}

}  // namespace stillframe
