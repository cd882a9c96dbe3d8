// Moves faulted pages out of a crowded stage to a file, and from there to the output.
#ifndef STILLFRAME_TRACK_SPILL_H_
#define STILLFRAME_TRACK_SPILL_H_

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "base/mapped_memory.h"
#include "stillframe/error.h"
#include "stillframe/units.h"
#include "track/spill_file.h"
#include "track/stage.h"

namespace stillframe {

// A queue on a disk. The file is used as a ring of pages, so it never grows beyond its limit; what
// is known of each page (16 bytes: whose it is, and its checksum) stays in memory. Pages come out
// in the order in which they went in, each once, and only if they read as they were written.
//
// When the device fails, what could not be written comes back out of TakeBack, nothing more goes
// in, and the stage is told that a fault that finds no room ends the save. The same holds while the
// file is at its limit, which it is not while anything in it was read back: that is given back
// first.
//
// Lives in mapped memory (MakeMapped), since its threads run while our own heap may be armed.
//
// Thread rule: Step, Wait and Abandon by the spill's thread; TakeBack and Next by the output's; the
// rest by any.
class Spill {
 public:
  // So many pages to one write: as quick as more of them, and their slots are free sooner.
  static constexpr size_t kMostAtOnce = 64;

  // `limit`: bytes in the file at one time. The stage outlives it.
  Spill(Stage& stage, std::unique_ptr<SpillFile> file, Bytes limit);

  // --- the spill's thread ---
  // Moves some pages if the stage is crowded; false when there was nothing to move, or no room.
  // kOutput when the device failed: then call Abandon. May wait for the device.
  Result<bool> Step();
  void Wait(Duration timeout) { stage_.WaitUntilCrowded(timeout); }
  // Nothing goes in any more, for the reason `error`.
  void Abandon(const Error& error);

  // --- the output ---
  // Pages of the stage that could not be written, to be written and released like any other.
  std::optional<StagedPages> TakeBack();
  struct Page {
    PageIndex page;
    std::span<const std::byte> memory;  // valid until the next call
  };
  // None when nothing waits. kOutput when the device failed, or gave back other bytes than it got.
  Result<std::optional<Page>> Next();
  // The one that comes next, if it has the number after `page` and lies behind it in memory: then
  // both are valid until the next call of Next.
  std::optional<Page> NextAfter(const Page& page);

  // --- anyone ---
  Bytes limit() const { return ToBytes(Pages{entries_.size()}); }
  // All that ever went in.
  Bytes spilled() const { return {spilled_.load(std::memory_order_relaxed)}; }
  // Why nothing goes in any more; null while it does.
  const Error* error() const {
    return failed_.load(std::memory_order_acquire) ? &*error_ : nullptr;
  }

 private:
  struct Entry {
    PageIndex page;
    uint64_t checksum;
  };
  // Space is given back in such steps: each costs the file system a change of its own tables.
  static constexpr size_t kGiveBackPages = MiB(1).count / kPageSize.count;

  // How many places from `position` on lie one behind the other in the file.
  size_t StraightFrom(uint64_t position) const;
  Bytes OffsetOf(uint64_t position) const;
  size_t Room() const;
  Result<void> WriteBatch();
  Result<void> Load();
  Page TakeLoaded();
  // Gives back what was read, and notes in the stage that the file is full if there was nothing.
  bool MakeRoom();
  // If there is enough of it, or it is waited for.
  void MayGiveBack();
  // With giving_back_ held. Never more than lies in one piece: the output gives back before it goes
  // on at the file's beginning.
  void GiveBackAll();

  Stage& stage_;
  const std::unique_ptr<SpillFile> file_;
  const MappedArray<Entry> entries_;

  // Places since the start; the place in the file is the rest by its size.
  std::atomic<uint64_t> tail_ = 0;  // the next to be written
  std::atomic<uint64_t> head_ = 0;  // up to here may be written over
  std::atomic<uint64_t> read_ = 0;  // the next to be read
  // Over head_ and the stage's note that the file is full: the tracker looks at that note at any
  // time, so it must never be set while there is room.
  std::mutex giving_back_;
  std::atomic<uint64_t> spilled_ = 0;
  std::atomic<bool> failed_ = false;
  std::optional<Error> error_;  // before failed_

  // The spill's thread's; the output's once it failed.
  std::array<StagedPages, kMostAtOnce> batch_;
  std::array<iovec, kMostAtOnce> parts_;
  size_t batch_count_ = 0;

  // The output's.
  MappedMemory buffer_;
  std::array<PageIndex, kMostAtOnce> loaded_;
  size_t loaded_count_ = 0;
  size_t next_loaded_ = 0;
  size_t taken_back_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_SPILL_H_
