#include "track/spill.h"

#include <xxh_x86dispatch.h>

#include <algorithm>
#include <utility>

#include "base/fail_point.h"

namespace stillframe {
namespace {

uint64_t ChecksumOf(std::span<const std::byte> page) {
  return XXH3_64bits(page.data(), page.size());
}

}  // namespace

Spill::Spill(Stage& stage, std::unique_ptr<SpillFile> file, Bytes limit)
    : stage_(stage),
      file_(std::move(file)),
      entries_(limit.count / kPageSize.count),
      buffer_(kPageSize * kMostAtOnce) {
  buffer_.Populate();
  if (entries_.size() == 0) stage_.SetSpillIsFull(true);
}

size_t Spill::StraightFrom(uint64_t position) const {
  return entries_.size() - position % entries_.size();
}

Bytes Spill::OffsetOf(uint64_t position) const { return kPageSize * (position % entries_.size()); }

size_t Spill::Room() const {
  return entries_.size() -
         (tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_acquire));
}

Result<bool> Spill::Step() {
  const size_t crowding = stage_.Crowding();
  if (crowding == 0) return false;
  if (Room() == 0 && !MakeRoom()) return false;
  const size_t most = std::min(
      {crowding, kMostAtOnce, Room(), StraightFrom(tail_.load(std::memory_order_relaxed))});
  batch_count_ = stage_.NextFaulted(std::span(batch_).first(most));
  if (batch_count_ == 0) return false;
  STILLFRAME_TRY(WriteBatch());
  return true;
}

bool Spill::MakeRoom() {
  const std::lock_guard lock(giving_back_);
  GiveBackAll();
  if (Room() > 0) return true;
  stage_.SetSpillIsFull(true);
  return false;
}

Result<void> Spill::WriteBatch() {
  const uint64_t position = tail_.load(std::memory_order_relaxed);
  for (size_t i = 0; i < batch_count_; ++i) {
    const std::span<const std::byte> page = stage_.MemoryOf(batch_[i]);
    parts_[i] = {.iov_base = const_cast<std::byte*>(page.data()), .iov_len = page.size()};
    entries_[(position + i) % entries_.size()] = {batch_[i].pages.first, ChecksumOf(page)};
  }
  STILLFRAME_TRY(file_->Write(OffsetOf(position), std::span(parts_).first(batch_count_)));
  FailPoint("spill.written");
  const size_t written = std::exchange(batch_count_, 0);
  tail_.store(position + written, std::memory_order_release);
  spilled_.fetch_add(kPageSize.count * written, std::memory_order_relaxed);
  for (size_t i = 0; i < written; ++i) stage_.Release(batch_[i]);
  stage_.CountOutside(static_cast<int64_t>(written));
  return {};
}

void Spill::Abandon(const Error& error) {
  error_ = error;
  failed_.store(true, std::memory_order_release);
  stage_.MakeFullFinal();
  stage_.CountOutside(static_cast<int64_t>(batch_count_));
}

std::optional<StagedPages> Spill::TakeBack() {
  if (!failed_.load(std::memory_order_acquire) || taken_back_ == batch_count_) return std::nullopt;
  stage_.CountOutside(-1);
  return batch_[taken_back_++];
}

Result<std::optional<Spill::Page>> Spill::Next() {
  if (next_loaded_ == loaded_count_) {
    if (read_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_acquire)) {
      return std::nullopt;
    }
    STILLFRAME_TRY(Load());
  }
  return TakeLoaded();
}

std::optional<Spill::Page> Spill::NextAfter(const Page& page) {
  if (next_loaded_ == loaded_count_ || loaded_[next_loaded_] != page.page + Pages{1}) {
    return std::nullopt;
  }
  return TakeLoaded();
}

Spill::Page Spill::TakeLoaded() {
  const size_t i = next_loaded_++;
  stage_.CountOutside(-1);
  return {loaded_[i], {buffer_.data() + i * kPageSize.count, kPageSize.count}};
}

Result<void> Spill::Load() {
  const uint64_t from = read_.load(std::memory_order_relaxed);
  const uint64_t waiting = tail_.load(std::memory_order_acquire) - from;
  const size_t n = std::min({waiting, kMostAtOnce, StraightFrom(from)});
  const std::span<std::byte> to(buffer_.data(), kPageSize.count * n);
  STILLFRAME_TRY(file_->Read(OffsetOf(from), to));
  FailPoint("spill.read-back");
  for (size_t i = 0; i < n; ++i) {
    const Entry& entry = entries_[(from + i) % entries_.size()];
    if (ChecksumOf(to.subspan(i * kPageSize.count, kPageSize.count)) != entry.checksum) {
      return Fail(
          ErrorCode::kOutput, "the spill file gave back other bytes than were written to it",
          "the disk, or the memory that caches it, is broken: --spill-dir names another one");
    }
    loaded_[i] = entry.page;
  }
  read_.store(from + n, std::memory_order_release);
  loaded_count_ = n;
  next_loaded_ = 0;
  MayGiveBack();
  return {};
}

void Spill::MayGiveBack() {
  const std::lock_guard lock(giving_back_);
  const uint64_t head = head_.load(std::memory_order_relaxed);
  const uint64_t read = read_.load(std::memory_order_relaxed);
  const size_t enough = std::min({kGiveBackPages, entries_.size() / 4, StraightFrom(head)});
  const bool all = read == tail_.load(std::memory_order_acquire);
  if (all || read - head >= enough || stage_.spill_is_full()) GiveBackAll();
}

void Spill::GiveBackAll() {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  const uint64_t read = read_.load(std::memory_order_acquire);
  if (read == head) return;
  // Given back before it may be written again.
  file_->GiveBack(OffsetOf(head), kPageSize * (read - head));
  head_.store(read, std::memory_order_release);
  if (stage_.spill_is_full()) stage_.SetSpillIsFull(false);
}

}  // namespace stillframe
