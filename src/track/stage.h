// The bounded memory that holds copies of pages on their way to the output.
#ifndef STILLFRAME_TRACK_STAGE_H_
#define STILLFRAME_TRACK_STAGE_H_

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "base/spsc_ring.h"
#include "region/page_bitmap.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"
#include "sys/event_fd.h"
#include "track/slot_pool.h"

namespace stillframe {

// Pages that are copied, proven, and wait to be written.
struct StagedPages {
  PageRun pages;
  uint32_t slot = 0;
  uint32_t page_in_slot = 0;
  PageSource source = PageSource::kFaulted;
  bool frees_slot = true;  // nothing more comes out of this slot
};

// Faulted pages have slots of one page, the scan has buffers of a run, each their own: copying is
// faster than any output, so a scan that could take all of it would leave nothing for the writers
// that wait. The scan's share is at most half, and no more than a CPU's caches keep: what runs
// further ahead of the output than that is read from memory again when it is looked at and written.
//
// Faulted pages go out two ways: to the output, and, when they are more than half of their share,
// to the spill. Whichever comes first takes a page; a lock decides between these two, and the
// tracker never takes it.
//
// Thread rule: four threads, each with its own calls. Nothing allocates; only the calls that are
// named so wait.
class Stage {
 public:
  static constexpr Bytes kSmallest = MiB(1);
  static constexpr Bytes kLargest = GiB(64);
  // process_vm_readv is fastest from here on, and it is soon enough done with for a writer that
  // waits for one of its pages.
  static constexpr Bytes kLargestRun = KiB(256);

  static constexpr Bytes kLargestScanShare = MiB(4);

  // `kept_for_us`: how many fault slots only our own threads may take, when it is our own process
  // that is saved: the writer that frees slots may itself fault, and must never wait for a slot.
  explicit Stage(Bytes size, size_t kept_for_us = 0);

  // --- the tracker ---
  bool TakeFaultSlots(std::span<uint32_t> slots, bool for_us);
  void PutBackFaultSlots(std::span<const uint32_t> slots);
  std::span<std::byte> FaultMemory(uint32_t slot) const { return faulted_.Memory(slot); }
  // Passes it on. An output that sleeps goes on sleeping until AnnounceFaulted: woken for each
  // page it would take a CPU each time, maybe the one that the writer goes on with. A spill is
  // woken at once.
  void PutFaulted(PageIndex page, uint32_t slot);
  void AnnounceFaulted();
  // How many were put since.
  size_t unannounced() const { return unannounced_; }
  // Readable when a slot was released after AskForFaultRoom.
  const EventFd& fault_room() const { return fault_room_; }
  void AskForFaultRoom();
  size_t FaultSlots() const { return faulted_.slots(); }
  size_t FaultSlotsFree() const { return faulted_.Available(); }
  // A fault that finds no room need not wait for any: the image is to be given up.
  bool full_is_final() const {
    return full_is_final_.load(std::memory_order_acquire) || spill_is_full();
  }

  // --- the saver ---
  Pages run_pages() const { return ToPages(scanned_.slot_size()); }
  size_t run_buffers() const { return scanned_.slots(); }
  bool TakeRuns(std::span<uint32_t> slots);
  void PutBackRuns(std::span<const uint32_t> slots);
  std::span<std::byte> RunMemory(uint32_t slot) const { return scanned_.Memory(slot); }
  // Passes on `pages`, which stand in the buffer from page `page_in_slot` on. Pages that could not
  // be proven leave gaps, so one buffer may be passed on in pieces: the last one, and only that,
  // with `frees_slot`.
  void PutScanned(PageRun pages, uint32_t slot, uint32_t page_in_slot, bool frees_slot);
  // Returns once so many buffers are free or one was released, or after `timeout`.
  void WaitForRoom(size_t buffers, Duration timeout);

  // --- the output, and the spill for faulted pages ---
  // None when nothing waits.
  std::optional<StagedPages> NextFaulted();
  std::span<const std::byte> MemoryOf(const StagedPages& pages) const;
  void Release(const StagedPages& pages);

  // --- the output ---
  std::optional<StagedPages> NextScanned() { return scanned_queue_.Pop(); }
  // Returns once anything waits to be written, here or outside, or after `timeout`.
  void WaitForStaged(Duration timeout);
  bool Empty() const {
    return faulted_queue_.empty() && scanned_queue_.empty() &&
           outside_.load(std::memory_order_acquire) <= 0;
  }

  // --- the spill ---
  // While more than half of the fault slots are in use: how many pages should leave them. They
  // leave well before it is full, since a disk is no quicker than an output at its first page.
  size_t Crowding() const;
  // As many as wait, at most `to.size()`.
  size_t NextFaulted(std::span<StagedPages> to);
  void WaitUntilCrowded(Duration timeout);
  void WakeSpill();
  // Pages that the spill has for the output: more by `pages`, or less.
  void CountOutside(int64_t pages);
  // While it is, a fault without room is final: so only when nothing can be made free in it. Its
  // thread sleeps until it is not.
  void SetSpillIsFull(bool is);
  bool spill_is_full() const { return spill_is_full_.load(); }

  // --- anyone ---
  // For good.
  void MakeFullFinal() { full_is_final_.store(true, std::memory_order_release); }
  void WakeAll();
  Bytes size() const { return size_; }
  Bytes used() const;
  Bytes peak() const { return {peak_.load(std::memory_order_relaxed)}; }

 private:
  void NotePeak();
  void WakeOutput();
  bool MayMove() const { return !spill_is_full() && Crowding() > 0 && !faulted_queue_.empty(); }

  const Bytes size_;
  const Bytes scan_share_;
  const size_t kept_for_us_;
  SlotPool faulted_;
  SlotPool scanned_;
  SpscRing<StagedPages> faulted_queue_;
  SpscRing<StagedPages> scanned_queue_;
  size_t unannounced_ = 0;  // the tracker's
  std::mutex faulted_out_;  // between the two that take faulted pages out
  std::atomic<uint64_t> peak_ = 0;
  std::atomic<int64_t> faulted_used_ = 0;  // slots
  std::atomic<int64_t> scanned_used_ = 0;  // buffers
  std::atomic<int64_t> outside_ = 0;       // pages
  std::atomic<bool> full_is_final_ = false;
  std::atomic<bool> spill_is_full_ = false;
  std::atomic<bool> output_sleeps_ = false;
  std::atomic<bool> tracker_asks_ = false;
  std::atomic<bool> saver_sleeps_ = false;
  std::atomic<bool> spill_sleeps_ = false;
  EventFd staged_;
  EventFd fault_room_;
  EventFd scan_room_;
  EventFd crowded_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_STAGE_H_
