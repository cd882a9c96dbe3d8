#include "store/placed_write_behind.h"

#include <algorithm>

#include "store/sync_range.h"

namespace stillframe {

int PlacedWriteBehind::OnWritten(uint64_t offset, Bytes size) {
  const uint64_t end = offset + size.count;
  while (offset < end) {
    const uint64_t number = offset / kWindow;
    const uint64_t bytes = std::min(end, (number + 1) * kWindow) - offset;
    auto [found, is_new] = by_number_.try_emplace(number);
    if (is_new) found->second = waiting_.insert(waiting_.end(), {.number = number, .bytes = 0});
    found->second->bytes += bytes;
    waiting_bytes_ += bytes;
    if (found->second->bytes >= kWindow) Send(found->second);
    offset += bytes;
  }
  while (waiting_bytes_ > kMostWaiting) Send(waiting_.begin());
  return error_;
}

void PlacedWriteBehind::Send(std::list<Window>::iterator window) {
  StartWriting(fd_, window->number * kWindow, kWindow);
  by_number_.erase(window->number);
  waiting_bytes_ -= window->bytes;
  sent_bytes_ += window->bytes;
  sent_.splice(sent_.end(), waiting_, window);
  while (sent_bytes_ > kMostSent) DropSent();
}

void PlacedWriteBehind::DropSent() {
  // It had all this time to reach the disk, so that waiting for it costs little.
  const int failed = FinishWriting(fd_, sent_.front().number * kWindow, kWindow);
  if (error_ == 0) error_ = failed;
  sent_bytes_ -= sent_.front().bytes;
  sent_.pop_front();
}

}  // namespace stillframe
