#include "fault/fault_log.h"

#include <new>

namespace stillframe {

FaultLog::FaultLog() : free_(kRecords), records_(kRecords), waiting_(kRecords), seen_(kRecords) {
  for (FaultRecord& record : records_) {
    new (&record) FaultRecord{};
    free_.Push(&record);
  }
}

FaultRecord* FaultLog::Arrive(TargetAddress page, TimePoint now) {
  FaultRecord* record = nullptr;
  if (const auto taken = free_.Pop()) {
    record = *taken;
    record->number = arrivals_.load(std::memory_order_relaxed);
    record->page = page;
    record->arrival = now;
    record->ended_ns.store(0, std::memory_order_relaxed);
    queue_.Put(record);
  } else {
    unrecorded_.fetch_add(1, std::memory_order_relaxed);
  }
  // Sequentially consistent with WaitForArrival: either it sees this arrival, or this sees it
  // waiting.
  arrivals_.fetch_add(1, std::memory_order_seq_cst);
  if (somebody_waits_.load(std::memory_order_seq_cst)) arrived_.Notify();
  return record;
}

void FaultLog::End(FaultRecord* record, TimePoint now) {
  if (record == nullptr) return;
  record->ended_ns.store(now.time_since_epoch().count(), std::memory_order_release);
}

std::span<const FaultSeen> FaultLog::Collect(TimePoint now) {
  while (waiting_count_ < waiting_.size()) {
    FaultQueueNode* node = queue_.Take();
    if (node == nullptr) break;
    waiting_[waiting_count_++] = static_cast<FaultRecord*>(node);
  }
  size_t seen = 0;
  size_t still_waiting = 0;
  for (size_t i = 0; i < waiting_count_; ++i) {
    FaultRecord* record = waiting_[i];
    const int64_t ended = record->ended_ns.load(std::memory_order_acquire);
    const TimePoint until = ended != 0 ? TimePoint(Duration(ended)) : now;
    seen_[seen++] = {.number = record->number,
                     .address = record->page,
                     .arrival = record->arrival,
                     .wait = until - record->arrival,
                     .finished = ended != 0};
    if (ended != 0) {
      free_.Push(record);
    } else {
      waiting_[still_waiting++] = record;
    }
  }
  waiting_count_ = still_waiting;
  return {seen_.data(), seen};
}

bool FaultLog::WaitForArrival(Duration timeout) {
  somebody_waits_.store(true, std::memory_order_seq_cst);
  bool arrived = arrivals_.load(std::memory_order_seq_cst) != arrivals_seen_;
  if (!arrived) {
    arrived_.Wait(timeout);
    arrived = arrivals_.load(std::memory_order_seq_cst) != arrivals_seen_;
  }
  somebody_waits_.store(false, std::memory_order_seq_cst);
  arrivals_seen_ = arrivals_.load(std::memory_order_relaxed);
  return arrived;
}

}  // namespace stillframe
