// Which pages of a process were copied, by address.
#ifndef STILLFRAME_SAVE_COPIED_PAGES_H_
#define STILLFRAME_SAVE_COPIED_PAGES_H_

#include <array>
#include <cstdint>
#include <functional>
#include <unordered_map>

#include "stillframe/units.h"

namespace stillframe {

// A bit for each page, in groups of 2 MiB that exist once one of their pages was copied: a huge
// reserved range costs nothing. Ranges are of whole pages. Thread rule: one thread.
class CopiedPages {
 public:
  void Add(AddressRange range);
  void Remove(AddressRange range);
  void Clear() { groups_.clear(); }
  // Calls `missing` for each run of pages of `range` that are not there, by address; two runs may
  // touch.
  void ForEachMissing(AddressRange range, const std::function<void(AddressRange)>& missing) const;

 private:
  static constexpr uint64_t kPagesInGroup = 512;
  using Group = std::array<uint64_t, kPagesInGroup / 64>;

  std::unordered_map<uint64_t, Group> groups_;  // by the number of the group
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_COPIED_PAGES_H_
