// Private mappings of files that were written, such as .data: copied before the pause.
#ifndef STILLFRAME_SAVE_PRIVATE_FILES_H_
#define STILLFRAME_SAVE_PRIVATE_FILES_H_

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "fault/fault_channel.h"
#include "save/copied_pages.h"
#include "save/pinned_history.h"
#include "save/plain_saver.h"
#include "save/precopy_proof.h"
#include "save/precopy_rounds.h"
#include "save/save_context.h"
#include "save/save_plan.h"
#include "save/still_memory.h"
#include "stillframe/error.h"
#include "stillframe/save.h"
#include "stillframe/units.h"
#include "sys/page_watch.h"

namespace stillframe {

// A mapping of a file can't be write-protected in the mode in which writes wait for us. It can in
// the one in which the kernel itself opens what is written and leaves a trace
// (UFFD_FEATURE_WP_ASYNC, Linux 6.7), and that takes a userfaultfd of its own. So these mappings
// are copied in rounds as `precopy` does it, and what no copy holds of is copied inside the pause.
//
// Where that can't be had, is of no use, or goes wrong, nothing is done here, and all of them are
// copied inside the pause: never an error, unless the target is gone, the output fails, or the save
// is called off.
//
// Thread rule: the session's.
class PrivateFiles {
 public:
  // Both outlive it. `check` is asked often while pages are copied; its error ends the save.
  PrivateFiles(SaveContext& context, std::function<Result<void>()> check);

  // Before anything is registered, and before the sink is told of a page: makes ready what is
  // needed if the plan has enough of such memory.
  Result<void> Prepare();
  bool active() const { return channel_.has_value(); }

  // While the target stands still, for the plan of this very moment. May be called again: what came
  // since is registered as well.
  Result<void> Register(std::span<const PlannedMapping> plan);
  // Rounds, until they help no more; the target runs. May be called again, to catch up.
  Result<void> RunRounds();

  // Plans what is watched to be no more than watched. After that plan was made, or made anew.
  void Claim(std::vector<PlannedMapping>* plan);
  // What a pause would have to copy of it, so that room can be got for it.
  Bytes expected() const { return expected_; }
  // Inside the pause: the pages of what was claimed for which no copy holds, by address. `pinned`:
  // what is registered with an io_uring now.
  Result<std::vector<AddressRange>> FindRest(std::span<const AddressRange> pinned);

  // See ReleaseFiles for how long that may hold the target's mmap lock.
  void Release();

  void AddTo(SaveSummary* summary) const;
  // Pages that were written out, some of them more than once.
  Pages done() const { return saver_.done(); }

 private:
  bool IsOurs(AddressRange range) const;
  Result<void> RegisterOne(AddressRange range);
  Result<void> CopyInRounds();
  Result<void> CopyOnce();
  Result<void> LookAtPinned();
  Result<Bytes> CountDoubts();
  // Reads what the pause will have to copy in any case, mostly pages that only stand in the file:
  // so that none of them comes from a disk inside it.
  Result<void> ReadAhead();
  // What went wrong here only; all is then copied inside the pause.
  Result<void> GiveUp(Result<void> failed);

  SaveContext& context_;
  const std::function<Result<void>()> check_;
  const StillMemory memory_;
  const PageWatch watch_;
  std::optional<FaultChannel> channel_;
  CopiedPages copied_;
  const PrecopyProof proof_;
  PlainSaver saver_;
  PrecopyRounds rounds_;
  PinnedHistory pinned_;
  std::map<TargetAddress, TargetAddress> registered_;  // begin to end
  std::vector<AddressRange> fresh_;                    // registered since the last round
  std::vector<PlannedMapping> watched_;  // what a round goes over, or what was claimed
  Bytes expected_;
  bool gave_up_ = false;
  bool in_vain_ = false;  // rounds helped no more: one is enough to catch up
  bool read_ahead_ = false;
  uint64_t round_count_ = 0;
};

// How many pages of the plan such mappings hold that were written.
Bytes WatchableIn(std::span<const PlannedMapping> plan);
// Whether the plan has enough memory of that kind to make it worth its price.
bool HasManyFilePages(std::span<const PlannedMapping> plan);
// Whether so much of the mapping was written that it is worth to be watched.
bool IsWorthWatching(const PlannedMapping& planned);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PRIVATE_FILES_H_
