// What was copied inside the pause, on its way to the sink.
#ifndef STILLFRAME_SAVE_PAUSED_OUTPUT_H_
#define STILLFRAME_SAVE_PAUSED_OUTPUT_H_

#include <cstddef>
#include <functional>

#include "save/paused_copy.h"
#include "save/plain_saver.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

// Gives out copies and holes merged, by rising address if they were taken so (PausedCopies::Take
// does). A sink that needs order is told of them between other memory, bit by bit.
//
// Thread rule: one thread.
class PausedOutput {
 public:
  // All of them outlive it.
  PausedOutput(PausedCopies& copies, PlainSaver& saver, PageSink& sink)
      : copies_(copies), saver_(saver), sink_(sink) {}

  // All that begins below `end` and was not told of. `check` is asked before each piece of at most
  // 1 MiB: its error ends it.
  Result<void> TellBelow(TargetAddress end, const std::function<Result<void>()>& check);
  // All that was not told of.
  Result<void> TellRest(const std::function<Result<void>()>& check);

 private:
  PausedCopies& copies_;
  PlainSaver& saver_;
  PageSink& sink_;
  size_t next_zero_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PAUSED_OUTPUT_H_
