// A small part of a target's memory, spread over all of it: what of it is written, how much is
// zero.
#ifndef STILLFRAME_SAVE_MEMORY_SAMPLE_H_
#define STILLFRAME_SAVE_MEMORY_SAMPLE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "fault/fault_channel.h"
#include "save/save_plan.h"
#include "save/still_memory.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// Slices of at most 4 MiB, placed evenly among the resident memory of the mappings that would be
// armed. They begin at multiples of 2 MiB, so that arming one splits no huge page.
//
// Thread rule: one thread.
class MemorySample {
 public:
  static constexpr size_t kSlices = 64;
  static constexpr Bytes kSlice = MiB(4);

  // Chooses.
  explicit MemorySample(std::span<const PlannedMapping> plan);

  // The mappings that hold a slice.
  const std::vector<PlannedMapping>& mappings() const { return mappings_; }

  // Inside a pause, `mappings` being registered: notes which pages exist, and arms the slices.
  Result<void> Arm(int pagemap, const FaultChannel& channel);
  // Without arming: only notes which pages exist.
  Result<void> NotePresent(int pagemap);
  // How many of the noted pages have lost their mark since.
  Result<Pages> CountWritten(int pagemap) const;
  Pages present() const { return present_; }

  struct Contents {
    Pages pages;  // that were read
    Pages zero;
  };
  // Reads the noted pages, at most `limit` of them.
  Contents Read(const StillMemory& memory, Pages limit) const;

 private:
  struct Slice {
    AddressRange range;
    std::vector<bool> present = {};  // a page each
  };

  std::vector<PlannedMapping> mappings_;
  std::vector<Slice> slices_;
  Pages present_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_MEMORY_SAMPLE_H_
