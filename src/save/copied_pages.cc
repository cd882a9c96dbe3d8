#include "save/copied_pages.h"

#include <algorithm>
#include <bit>

namespace stillframe {
namespace {

constexpr uint64_t kBits = 64;

uint64_t PageOf(TargetAddress address) { return address.value / kPageSize.count; }
AddressRange PagesAt(uint64_t begin, uint64_t end) {
  return {{begin * kPageSize.count}, {end * kPageSize.count}};
}

// The bits [first, first + n) of a word.
uint64_t Mask(uint64_t first, uint64_t n) {
  return (n == kBits ? ~uint64_t{0} : (uint64_t{1} << n) - 1) << first;
}

// Calls `visit(group, word, mask)` for each word that holds pages of `range`.
template <class Visit>
void ForEachWord(AddressRange range, uint64_t in_group, Visit visit) {
  const uint64_t end = PageOf(range.end);
  for (uint64_t at = PageOf(range.begin); at < end;) {
    const uint64_t n = std::min(kBits - at % kBits, end - at);
    visit(at / in_group, at % in_group / kBits, Mask(at % kBits, n));
    at += n;
  }
}

}  // namespace

void CopiedPages::Add(AddressRange range) {
  ForEachWord(range, kPagesInGroup, [this](uint64_t group, uint64_t word, uint64_t mask) {
    groups_[group][word] |= mask;
  });
}

void CopiedPages::Remove(AddressRange range) {
  ForEachWord(range, kPagesInGroup, [this](uint64_t group, uint64_t word, uint64_t mask) {
    const auto found = groups_.find(group);
    if (found != groups_.end()) found->second[word] &= ~mask;
  });
}

void CopiedPages::ForEachMissing(AddressRange range,
                                 const std::function<void(AddressRange)>& missing) const {
  const uint64_t end = PageOf(range.end);
  for (uint64_t at = PageOf(range.begin); at < end;) {
    const uint64_t group_end = std::min(end, (at / kPagesInGroup + 1) * kPagesInGroup);
    const auto group = groups_.find(at / kPagesInGroup);
    if (group == groups_.end()) {
      missing(PagesAt(at, group_end));
      at = group_end;
      continue;
    }
    while (at < group_end) {
      const uint64_t n = std::min(kBits - at % kBits, group_end - at);
      const uint64_t clear = ~group->second[at % kPagesInGroup / kBits] & Mask(at % kBits, n);
      if (clear == 0) {
        at += n;
        continue;
      }
      const uint64_t first = at / kBits * kBits + static_cast<uint64_t>(std::countr_zero(clear));
      const auto length = static_cast<uint64_t>(std::countr_one(clear >> (first % kBits)));
      missing(PagesAt(first, first + length));
      at = first + length;
    }
  }
}

}  // namespace stillframe
