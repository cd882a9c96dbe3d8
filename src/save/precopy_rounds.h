// Copies the memory of a target that runs, and again what it has written meanwhile.
#ifndef STILLFRAME_SAVE_PRECOPY_ROUNDS_H_
#define STILLFRAME_SAVE_PRECOPY_ROUNDS_H_

#include <functional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/mapped_memory.h"
#include "save/copied_pages.h"
#include "save/plain_saver.h"
#include "save/save_plan.h"
#include "save/still_memory.h"
#include "stillframe/error.h"
#include "stillframe/units.h"
#include "sys/page_watch.h"

namespace stillframe {

// No page is copied that was not armed before, so that whatever is written from then on leaves a
// trace; which copies hold is found out later, see PrecopyProof. What leaves none is what a device
// writes into a page that it was handed before that was armed, for a read with O_DIRECT: so the
// calls that were running by then are over before anything is copied.
//
// Thread rule: one thread; saver.done() from any.
class PrecopyRounds {
 public:
  struct Parts {
    const StillMemory& memory;  // that doesn't stand still at all here
    const PageWatch& watch;
    PlainSaver& saver;
    CopiedPages& copied;
    const Clock& clock;
    std::function<Result<void>()> check;        // asked often: its error ends the round
    std::function<Result<void>()> await_calls;  // Target::AwaitSystemCalls
  };
  // All of them outlive it.
  explicit PrecopyRounds(const Parts& parts);

  // One round over the planned mappings that are to be armed. Mappings that overlap `fresh`,
  // by address, were registered since the last round: marks that their pages carry are of no
  // meaning, so all of them are copied. What isn't registered is passed over.
  Result<void> Copy(std::span<const PlannedMapping> plan, std::span<const AddressRange> fresh);

  // Counts from zero, and forgets what a round that failed was about to copy.
  void BeginAnew() {
    copied_ = Bytes{0};
    armed_.clear();
  }
  Bytes copied() const { return copied_; }
  // What reading a page took in the last round, calls included; a guess before the first one.
  Duration ReadTime(Pages pages) const;

 private:
  Result<void> Arm(const PlannedMapping& planned, PageWatch::Which which);
  // All that was armed and not copied yet.
  Result<void> CopyArmed();
  Result<void> CopyRun(AddressRange run);
  Result<void> CopyPiece(AddressRange piece);

  Parts parts_;
  MappedMemory buffer_;
  std::vector<AddressRange> armed_;  // to be copied
  Bytes copied_;
  Duration reading_{0};  // of the last round
  Pages read_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PRECOPY_ROUNDS_H_
