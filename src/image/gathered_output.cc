#include "image/gathered_output.h"

#include <algorithm>
#include <utility>

namespace stillframe {
namespace {

constexpr uint64_t kGatherBytes = KiB(256).count;

}  // namespace

GatheredOutput::GatheredOutput(std::unique_ptr<Store> store) : store_(std::move(store)) {
  gathered_.reserve(kGatherBytes);
}

Result<void> GatheredOutput::Append(std::span<const iovec> parts) {
  uint64_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  appended_.fetch_add(bytes, std::memory_order_relaxed);
  // What would not gain by being gathered goes out as it is, behind what was gathered before it.
  const bool large = bytes > kGatherBytes / 2;
  if (large || gathered_.size() + bytes > kGatherBytes) STILLFRAME_TRY(Flush());
  if (large) return Send(parts);
  for (const iovec& part : parts) {
    const auto* begin = static_cast<const std::byte*>(part.iov_base);
    gathered_.insert(gathered_.end(), begin, begin + part.iov_len);
  }
  return {};
}

Result<void> GatheredOutput::Flush() {
  if (gathered_.empty()) return {};
  const iovec part = BufferOf(std::span<const std::byte>(gathered_));
  STILLFRAME_TRY(Send({&part, 1}));
  gathered_.clear();
  return {};
}

Result<void> GatheredOutput::Publish() {
  STILLFRAME_TRY(Flush());
  return store_->Publish();
}

Result<void> GatheredOutput::Send(std::span<const iovec> parts) {
  const Result<void> sent = pacing_.is_set() ? SendAtPace(parts) : store_->Append(parts);
  if (!sent) failed_ = sent.error();
  return sent;
}

Result<void> GatheredOutput::SendAtPace(std::span<const iovec> parts) {
  for (const iovec& part : parts) {
    STILLFRAME_TRY(pacing_.InPieces(part.iov_len, [&](uint64_t at, uint64_t size) {
      const iovec piece{.iov_base = static_cast<std::byte*>(part.iov_base) + at, .iov_len = size};
      return store_->Append({&piece, 1});
    }));
  }
  return {};
}

}  // namespace stillframe
