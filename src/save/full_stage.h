// What is done when a write finds no room in the stage: it waits, pages are spilled, or the image
// is given up.
#ifndef STILLFRAME_SAVE_FULL_STAGE_H_
#define STILLFRAME_SAVE_FULL_STAGE_H_

#include <sys/types.h>

#include <optional>

#include "base/mapped_memory.h"
#include "save/spill_thread.h"
#include "stillframe/error.h"
#include "stillframe/save.h"
#include "stillframe/units.h"
#include "track/spill.h"
#include "track/stage.h"

namespace stillframe {

// Thread rule: the session's; spilled() any.
class FullStage {
 public:
  // Both outlive it.
  FullStage(const SaveOptions& options, Stage& stage);

  // Before the pause: makes the file, if one may be needed. `to_save`: no more than that can ever
  // be spilled. Errors: as FindSpillDirectory and CreateSpillFile.
  Result<void> Prepare(Bytes to_save);
  // From here on a crowded stage is relieved.
  void Start();
  // Nothing is spilled any more; what was stays. May wait for the device.
  void Stop() { thread_.reset(); }

  // Null where nothing is spilled. Lives as long as this.
  Spill* spill() const { return spill_.get(); }
  // Of the thread that spills; 0: there is none.
  pid_t tid() const { return thread_ ? thread_->tid() : 0; }
  Bytes spilled() const { return spill_ ? spill_->spilled() : Bytes{0}; }
  // Why a fault that found no room ended the save: kLimit, or kOutput when the spill file failed.
  tl::unexpected<Error> WhyGivenUp() const;

 private:
  const SaveOptions& options_;
  Stage& stage_;
  MappedPtr<Spill> spill_;
  std::optional<SpillThread> thread_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_FULL_STAGE_H_
