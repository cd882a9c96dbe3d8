// The way from a writer to its store: small writes gathered, all of them at the pace.
#ifndef STILLFRAME_IMAGE_GATHERED_OUTPUT_H_
#define STILLFRAME_IMAGE_GATHERED_OUTPUT_H_

#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "image/pacing.h"
#include "stillframe/error.h"
#include "stillframe/units.h"
#include "store/store.h"

namespace stillframe {

template <class T>
iovec BufferOf(std::span<const T> bytes) {
  // writev only reads, but iovec knows no const.
  return {.iov_base = const_cast<T*>(bytes.data()), .iov_len = bytes.size_bytes()};
}

// Faulted pages come one by one, and a system call each is dearer than a copy.
//
// Thread rule: one thread at a time; Interrupt and appended from any.
class GatheredOutput {
 public:
  explicit GatheredOutput(std::unique_ptr<Store> store);

  // As PageSink::SetPacer.
  void SetPacer(std::function<Result<void>(Bytes)> pacer, Bytes largest) {
    pacing_.Set(std::move(pacer), largest);
  }

  // Copies `parts` or writes them, in order. Errors: those of the pacer and of Store::Append; after
  // one it is good for nothing.
  Result<void> Append(std::span<const iovec> parts);
  Result<void> Append(std::span<const std::byte> bytes) {
    const iovec part = BufferOf(bytes);
    return Append({&part, 1});
  }
  Result<void> Flush();
  // Flushes first.
  Result<void> Publish();
  void Interrupt() { store_->Interrupt(); }

  // The first error.
  const std::optional<Error>& failed() const { return failed_; }
  // How many bytes came in.
  Bytes appended() const { return {appended_.load(std::memory_order_relaxed)}; }

 private:
  Result<void> Send(std::span<const iovec> parts);
  Result<void> SendAtPace(std::span<const iovec> parts);

  const std::unique_ptr<Store> store_;
  Pacing pacing_;
  std::vector<std::byte> gathered_;
  std::optional<Error> failed_;
  std::atomic<uint64_t> appended_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_GATHERED_OUTPUT_H_
