#include "store/placed_write_behind.h"

#include <fcntl.h>

#include <algorithm>

namespace stillframe {

void PlacedWriteBehind::OnWritten(uint64_t offset, Bytes size) {
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
}

void PlacedWriteBehind::Send(std::list<Window>::iterator window) {
  sync_file_range(fd_, static_cast<off_t>(window->number * kWindow), static_cast<off_t>(kWindow),
                  SYNC_FILE_RANGE_WRITE);
  by_number_.erase(window->number);
  waiting_bytes_ -= window->bytes;
  sent_bytes_ += window->bytes;
  sent_.splice(sent_.end(), waiting_, window);
  while (sent_bytes_ > kMostSent) DropSent();
}

void PlacedWriteBehind::DropSent() {
  const auto begin = static_cast<off_t>(sent_.front().number * kWindow);
  const auto length = static_cast<off_t>(kWindow);
  // It had all this time to reach the disk, so that waiting for it costs little.
  sync_file_range(fd_, begin, length,
                  SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  posix_fadvise(fd_, begin, length, POSIX_FADV_DONTNEED);
  sent_bytes_ -= sent_.front().bytes;
  sent_.pop_front();
}

}  // namespace stillframe
