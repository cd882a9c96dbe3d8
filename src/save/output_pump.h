// Takes pages out of the stage and writes them: faulted ones first, those that were spilled behind
// those that were not, then what was copied in the pause, then the scan's.
#ifndef STILLFRAME_SAVE_OUTPUT_PUMP_H_
#define STILLFRAME_SAVE_OUTPUT_PUMP_H_

#include <array>
#include <atomic>
#include <optional>

#include "base/service_thread.h"
#include "region/region_set.h"
#include "save/output_pacer.h"
#include "save/paused_copy.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "track/spill.h"
#include "track/stage.h"

namespace stillframe {

// The only one that waits for the output, on a thread of its own.
//
// Thread rule: Start, Finish and Stop by the session; failed from any thread.
class OutputPump {
 public:
  static constexpr Pages kLongestRun = ToPages(Stage::kLargestRun);

  // All of them outlive it. `spill` is null where nothing is spilled. `longest_run`: how many
  // faulted pages are written before their slots are free again, 1 to kLongestRun.
  OutputPump(const RegionSet& regions, Stage& stage, Spill* spill, PausedCopies& copies,
             PageSink& sink, OutputPacer& pacer, Pages longest_run = kLongestRun);
  // Stops.
  ~OutputPump();

  // `nice`: of its thread, as for ServiceThread.
  void Start(int nice);
  // Writes what is left and ends the thread: nothing may be put into the stage or the spill any
  // more.
  Result<void> Finish();
  // Ends the thread without writing the rest. The sink must have been interrupted if it may block.
  void Stop();
  // An output error is known: Finish will return it.
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  // Its thread, once started.
  pid_t tid() const { return thread_.tid(); }

 private:
  void Run();
  // False when there was nothing to write.
  Result<bool> WriteOne();
  std::optional<StagedPages> NextFaulted();
  // Both write pages that follow one another, in the target and in our memory, at once: page by
  // page the index would be as long, and each would be copied once more to be gathered. False when
  // there was none.
  Result<bool> WriteFaulted();
  Result<bool> WriteSpilled();
  size_t MostInRun() const;
  Result<void> Write(TargetAddress address, std::span<const std::byte> memory, PageSource source);

  const RegionSet& regions_;
  Stage& stage_;
  Spill* const spill_;
  PausedCopies& copies_;
  PageSink& sink_;
  OutputPacer& pacer_;
  const size_t longest_run_;
  std::array<StagedPages, kLongestRun.count> run_;
  std::optional<StagedPages> put_off_;  // taken already, comes next
  ServiceThread thread_;
  std::atomic<bool> finishing_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> failed_ = false;
  Result<void> result_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_OUTPUT_PUMP_H_
