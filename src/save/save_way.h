// One way to save a target: what happens between attach and the last page.
#ifndef STILLFRAME_SAVE_SAVE_WAY_H_
#define STILLFRAME_SAVE_SAVE_WAY_H_

#include <memory>
#include <vector>

#include "base/mapped_memory.h"
#include "save/save_context.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/save.h"
#include "stillframe/units.h"

namespace stillframe {

// Driven by the session, which calls in this order: Prepare, BeforePause, WhilePaused,
// BeforeResume, SavePages, Release, Finish, End; from Release on also after a failure of any of
// them. What is the same in every way stays with the session.
//
// Thread rule: the session's; Interrupt and AddTo(SaveProgress*) from any.
class SaveWay : public InMappedMemory {
 public:
  SaveWay() = default;
  SaveWay(const SaveWay&) = delete;
  SaveWay& operator=(const SaveWay&) = delete;
  virtual ~SaveWay() = default;

  virtual bool needs_fork() const { return false; }

  // All that can be done before the pause, the plan included.
  virtual Result<void> Prepare() = 0;
  // Right before the pause: the last of what makes it short.
  virtual Result<void> BeforePause() { return {}; }
  // While the target stands still. In our own process nothing here may allocate.
  virtual Result<void> WhilePaused() = 0;
  // The target runs again right after; `good` when WhilePaused succeeded.
  virtual void BeforeResume(bool good) { static_cast<void>(good); }
  // Saves what was not saved inside the pause, while the target runs.
  virtual Result<void> SavePages() = 0;
  // From here on the target runs as if we had never been. The last pages may still be on their way
  // to the output.
  virtual void Release() = 0;
  // Writes the last pages, and tells the sink of every page that was never written. Returns the
  // lost ranges, by address.
  virtual Result<std::vector<RangeReason>> Finish() = 0;
  // Ends every thread that uses the sink.
  virtual void End() {}

  // Makes whatever waits inside the way return soon. Async-signal-safe.
  virtual void Interrupt() {}
  // Parts of what is in the image that could not be read.
  virtual std::vector<AddressRange> Unreadable() const = 0;
  virtual void AddTo(SaveSummary* summary) const = 0;
  virtual void AddTo(SaveProgress* progress) const = 0;
};

// The way that options.via names. `policy` is used by the one that scans while the target runs.
std::unique_ptr<SaveWay> MakeSaveWay(SaveContext& context, std::unique_ptr<ThrottlePolicy> policy);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_SAVE_WAY_H_
