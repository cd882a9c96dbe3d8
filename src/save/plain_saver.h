// Saves memory that stands still: reads it from one end to the other and writes it out.
#ifndef STILLFRAME_SAVE_PLAIN_SAVER_H_
#define STILLFRAME_SAVE_PLAIN_SAVER_H_

#include <atomic>
#include <functional>
#include <span>
#include <vector>

#include "base/mapped_memory.h"
#include "save/mapping_contents.h"
#include "save/output_pacer.h"
#include "save/save_plan.h"
#include "save/still_memory.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

// No thread, no stage: one buffer, which goes out before it is filled again. Nobody waits for it
// but a target that stands still anyway.
//
// Thread rule: one thread; done() from any.
class PlainSaver {
 public:
  // Both outlive it. `source` is what the sink is told of where the pages came from.
  PlainSaver(PageSink& sink, const OutputPacer& pacer, PageSource source);

  // Saves the planned part of one mapping, holes included. `check` is asked before each piece of at
  // most 1 MiB: its error ends the save. kTargetGone when the memory went away: what was written of
  // it is then not to be believed.
  Result<void> Save(const StillMemory& memory, const PlannedMapping& planned,
                    const std::function<Result<void>()>& check);
  // Writes memory that was copied before.
  Result<void> Write(TargetAddress address, std::span<const std::byte> pages, PageSource source);

  // For another save to the same sink.
  void BeginAnew() {
    unreadable_.clear();
    done_.store(0, std::memory_order_relaxed);
  }

  // Pages that were written.
  Pages done() const { return Pages{done_.load(std::memory_order_relaxed)}; }
  // Pages that could not be read, and are zero in the image.
  std::span<const AddressRange> unreadable() const { return unreadable_; }

 private:
  Result<void> SaveStretch(const MappingContents& contents, const Stretch& stretch,
                           const std::function<Result<void>()>& check);

  PageSink& sink_;
  const OutputPacer& pacer_;
  const PageSource source_;
  MappedMemory buffer_;
  std::vector<AddressRange> unreadable_;
  std::atomic<uint64_t> done_ = 0;
};

// How many pages of the plan exist, as far as smaps told; for a progress line.
Pages ExpectedPages(std::span<const PlannedMapping> plan);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PLAIN_SAVER_H_
