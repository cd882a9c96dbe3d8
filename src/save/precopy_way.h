// Saving in rounds: everything is copied while the target runs, what it wrote meanwhile again, and
// the rest while it stands still.
#ifndef STILLFRAME_SAVE_PRECOPY_WAY_H_
#define STILLFRAME_SAVE_PRECOPY_WAY_H_

#include <optional>
#include <span>
#include <vector>

#include "fault/fault_channel.h"
#include "save/armed_memory.h"
#include "save/copied_pages.h"
#include "save/paused_copy.h"
#include "save/pinned_history.h"
#include "save/plain_saver.h"
#include "save/precopy_pace.h"
#include "save/precopy_proof.h"
#include "save/precopy_rounds.h"
#include "save/save_way.h"
#include "save/still_memory.h"
#include "sys/page_watch.h"

namespace stillframe {

// No write of the target ever waits: the kernel itself opens a page that is written and leaves a
// trace. What the target unmaps or discards is not lost; what leaves no trace is listed in
// docs/limits.md. The price is a pause that grows with what the target writes, and pages that are
// written out more than once.
//
// The target stands still for the instant, and before it for the registering of its memory, once or
// up to four times if much of it is new: were a mapping to change between our reading of it and
// that, a part of one would be registered, which splits it in two, and mremap(2) refuses a range
// that lies in two mappings.
class PrecopyWay final : public SaveWay {
 public:
  explicit PrecopyWay(SaveContext& context);

  // The next save of a target that was not released: all stays armed, and what is known of copies
  // stays known. `hold`: they stand in the parent of the image that comes. Else none of them
  // counts, and everything is copied once more.
  void BeginAnew(bool hold);

  Result<void> Prepare() override;
  // All rounds.
  Result<void> BeforePause() override;
  Result<void> WhilePaused() override;
  Result<void> SavePages() override { return {}; }
  void Release() override;
  Result<std::vector<RangeReason>> Finish() override;
  // Gives back what was copied inside the pause: the next one may be hours away.
  void End() override;
  std::vector<AddressRange> Unreadable() const override;
  void AddTo(SaveSummary* summary) const override;
  void AddTo(SaveProgress* progress) const override;

 private:
  // What a pause would have to do now.
  struct Outlook {
    Bytes to_copy;
    Bytes unwatched;  // part of it: in mappings that are not registered, or not any more
    Duration pause{0};
  };

  Result<void> Connect();
  // In a short pause of its own. Returns what was not registered right before: whatever was copied
  // of it, and whatever marks its pages carry, is of no meaning.
  Result<std::vector<AddressRange>> Register();
  // Before the first round. Returns, as Register does, what no mark can tell anything of.
  Result<std::vector<AddressRange>> BeginRounds();
  Result<PrecopyPace::Verdict> RunRounds(PrecopyPace* pace);
  Result<void> CopyOnce(std::span<const AddressRange> fresh);
  // Reads the mappings anew.
  Result<Outlook> LookAhead();
  // What the kernel may write without a trace just now is copied in the pause.
  Result<void> LookAtPinned();
  // Of all that is planned to be armed.
  Result<void> FindDoubts(Bytes step, const PrecopyProof::Doubts& doubts);
  // Inside the pause: the pages for which no copy holds.
  Result<std::vector<AddressRange>> FindRest();

  enum class Copies {
    kNone,     // nothing was ever copied
    kHold,     // those of the saves before stand in the image's parent
    kDropped,  // are of no meaning, though all is armed
  };

  SaveContext& context_;
  const StillMemory memory_;
  Copies before_ = Copies::kNone;
  std::optional<FaultChannel> channel_;
  std::optional<ArmedMemory> armed_;
  const PageWatch watch_;
  CopiedPages copied_;
  const PrecopyProof proof_;
  PlainSaver saver_;
  PrecopyRounds rounds_;
  PinnedHistory pinned_;
  PausedCopies copies_;
  std::vector<AddressRange> zeros_;
  uint64_t round_count_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PRECOPY_WAY_H_
