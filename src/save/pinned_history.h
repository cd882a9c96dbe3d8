// Memory that the kernel may have written to without a trace while pages were copied in rounds.
#ifndef STILLFRAME_SAVE_PINNED_HISTORY_H_
#define STILLFRAME_SAVE_PINNED_HISTORY_H_

#include <functional>
#include <set>
#include <span>
#include <utility>

#include "save/copied_pages.h"
#include "save/pinned_pages.h"
#include "stillframe/error.h"
#include "stillframe/mapping.h"
#include "stillframe/target.h"
#include "stillframe/units.h"

namespace stillframe {

// What was ever seen registered with an io_uring is copied in the pause, whatever becomes of it
// until then. To be asked before and after each round.
//
// Thread rule: one thread.
class PinnedHistory {
 public:
  // Which buffers are registered just now, the target running. A ring that is in use can't always
  // be asked: it is tried again for a while, and `check` is asked in between. kLimit when that does
  // not help.
  Result<void> Look(const Target& target, std::span<const Mapping> mappings,
                    const std::function<Result<void>()>& check);
  // As the paused target stands, see PinnedMemory::Find.
  Result<void> Find(const Target& target, std::span<const Mapping> mappings);
  void Add(std::span<const AddressRange> buffers);

  // All that was ever seen, from where to where.
  const std::set<std::pair<TargetAddress, TargetAddress>>& ever() const { return ever_; }
  // Forgets the copies of all that was ever seen.
  void Distrust(CopiedPages* copied) const;

 private:
  PinnedMemory now_;
  std::set<std::pair<TargetAddress, TargetAddress>> ever_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PINNED_HISTORY_H_
