#include "track/stage.h"

#include <algorithm>

namespace stillframe {
namespace {

// A scan wants several buffers in flight even in a small stage, or it waits for the output after
// each run.
constexpr uint64_t kRunsAtLeast = 4;

Bytes RunSize(Bytes share) {
  const Bytes quarter = share / kRunsAtLeast;
  return ToBytes(ToPages(std::min(Stage::kLargestRun, quarter)));
}

}  // namespace

Stage::Stage(Bytes size, size_t kept_for_us)
    : size_(size),
      scan_share_(std::min(size / 2, kLargestScanShare)),
      kept_for_us_(kept_for_us),
      faulted_((size - scan_share_).count / kPageSize.count, kPageSize),
      scanned_(scan_share_.count / RunSize(scan_share_).count, RunSize(scan_share_)),
      faulted_queue_(faulted_.slots()),
      scanned_queue_(scanned_.slots() * run_pages().count) {
  faulted_queue_.Populate();
  scanned_queue_.Populate();
}

bool Stage::TakeFaultSlots(std::span<uint32_t> slots, bool for_us) {
  if (!for_us && faulted_.Available() < slots.size() + kept_for_us_) return false;
  if (!faulted_.Take(slots)) return false;
  // Pages that are copied together lie side by side where that can be had, and are written so.
  std::ranges::sort(slots);
  faulted_used_.fetch_add(static_cast<int64_t>(slots.size()), std::memory_order_relaxed);
  NotePeak();
  return true;
}

void Stage::PutBackFaultSlots(std::span<const uint32_t> slots) {
  faulted_.PutBack(slots);
  faulted_used_.fetch_sub(static_cast<int64_t>(slots.size()), std::memory_order_relaxed);
}

void Stage::PutFaulted(PageIndex page, uint32_t slot) {
  // Never full: it has a place for each slot.
  faulted_queue_.Push({.pages = {page, Pages{1}}, .slot = slot, .source = PageSource::kFaulted});
  ++unannounced_;
  if (Crowding() > 0) WakeSpill();
}

void Stage::AnnounceFaulted() {
  unannounced_ = 0;
  WakeOutput();
}

void Stage::AskForFaultRoom() { tracker_asks_.exchange(true, std::memory_order_acq_rel); }

bool Stage::TakeRuns(std::span<uint32_t> slots) {
  if (!scanned_.Take(slots)) return false;
  scanned_used_.fetch_add(static_cast<int64_t>(slots.size()), std::memory_order_relaxed);
  NotePeak();
  return true;
}

void Stage::PutBackRuns(std::span<const uint32_t> slots) {
  scanned_.PutBack(slots);
  scanned_used_.fetch_sub(static_cast<int64_t>(slots.size()), std::memory_order_relaxed);
}

void Stage::PutScanned(PageRun pages, uint32_t slot, uint32_t page_in_slot, bool frees_slot) {
  // Never full: it has a place for each page of each buffer.
  scanned_queue_.Push({.pages = pages,
                       .slot = slot,
                       .page_in_slot = page_in_slot,
                       .source = PageSource::kScanned,
                       .frees_slot = frees_slot});
  WakeOutput();
}

void Stage::WaitForRoom(size_t buffers, Duration timeout) {
  saver_sleeps_.exchange(true, std::memory_order_acq_rel);
  if (scanned_.Available() < buffers) scan_room_.Wait(timeout);
  saver_sleeps_.store(false, std::memory_order_relaxed);
}

std::optional<StagedPages> Stage::NextFaulted() {
  const std::lock_guard lock(faulted_out_);
  return faulted_queue_.Pop();
}

size_t Stage::NextFaulted(std::span<StagedPages> to) {
  const std::lock_guard lock(faulted_out_);
  size_t n = 0;
  for (; n < to.size(); ++n) {
    const auto next = faulted_queue_.Pop();
    if (!next) break;
    to[n] = *next;
  }
  return n;
}

std::span<const std::byte> Stage::MemoryOf(const StagedPages& pages) const {
  const SlotPool& pool = pages.source == PageSource::kFaulted ? faulted_ : scanned_;
  return pool.Memory(pages.slot)
      .subspan(pages.page_in_slot * kPageSize.count, ToBytes(pages.pages.count).count);
}

void Stage::Release(const StagedPages& pages) {
  if (!pages.frees_slot) return;
  if (pages.source == PageSource::kFaulted) {
    faulted_used_.fetch_sub(1, std::memory_order_relaxed);
    {
      const std::lock_guard lock(faulted_out_);
      faulted_.Release(pages.slot);
    }
    if (tracker_asks_.exchange(false, std::memory_order_acq_rel)) fault_room_.Notify();
  } else {
    scanned_used_.fetch_sub(1, std::memory_order_relaxed);
    scanned_.Release(pages.slot);
    if (saver_sleeps_.exchange(false, std::memory_order_acq_rel)) scan_room_.Notify();
  }
}

void Stage::WaitForStaged(Duration timeout) {
  output_sleeps_.exchange(true, std::memory_order_acq_rel);
  if (Empty()) staged_.Wait(timeout);
  output_sleeps_.store(false, std::memory_order_relaxed);
}

void Stage::WakeOutput() {
  // Paired with WaitForStaged. Both exchange, so one of the two comes second: either the output
  // sees what was pushed, or this sees it asleep.
  if (output_sleeps_.exchange(false, std::memory_order_acq_rel)) staged_.Notify();
}

size_t Stage::Crowding() const {
  const int64_t used = faulted_used_.load(std::memory_order_relaxed);
  const auto slots = static_cast<int64_t>(faulted_.slots());
  if (used <= slots / 2) return 0;
  // Somewhat below the mark, so that few large writes do it and not many small ones.
  return static_cast<size_t>(used - slots / 2 + slots / 8);
}

void Stage::WaitUntilCrowded(Duration timeout) {
  spill_sleeps_.exchange(true, std::memory_order_acq_rel);
  if (!MayMove()) crowded_.Wait(timeout);
  spill_sleeps_.store(false, std::memory_order_relaxed);
}

void Stage::WakeSpill() {
  if (spill_sleeps_.exchange(false, std::memory_order_acq_rel)) crowded_.Notify();
}

void Stage::SetSpillIsFull(bool is) {
  spill_is_full_.store(is);
  if (!is) WakeSpill();
}

void Stage::CountOutside(int64_t pages) {
  outside_.fetch_add(pages, std::memory_order_acq_rel);
  if (pages > 0) WakeOutput();
}

void Stage::WakeAll() {
  staged_.Notify();
  fault_room_.Notify();
  scan_room_.Notify();
  crowded_.Notify();
}

Bytes Stage::used() const {
  const int64_t faulted = faulted_used_.load(std::memory_order_relaxed);
  const int64_t scanned = scanned_used_.load(std::memory_order_relaxed);
  return kPageSize * static_cast<uint64_t>(std::max<int64_t>(0, faulted)) +
         scanned_.slot_size() * static_cast<uint64_t>(std::max<int64_t>(0, scanned));
}

void Stage::NotePeak() {
  const uint64_t now = used().count;
  uint64_t peak = peak_.load(std::memory_order_relaxed);
  while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
}

}  // namespace stillframe
