// Where the bytes of an image go: front to back, never a seek, never a rewrite.
#ifndef STILLFRAME_STORE_STORE_H_
#define STILLFRAME_STORE_STORE_H_

#include <sys/uio.h>

#include <atomic>
#include <memory>
#include <span>

#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

// Thread rule: one thread at a time; Interrupt and position from any thread.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  // Without a Publish that succeeded, a file store leaves nothing behind.
  virtual ~Store() = default;

  // Writes all of `parts`, in order, behind what is there. May block; no allocation unless it
  // fails. After a failure the store holds an unknown part of them and is good for nothing but
  // destruction. Never raises SIGPIPE or SIGXFSZ. Errors: kOutput (no space, the reader went away),
  // kPermission, kInterrupted.
  virtual Result<void> Append(std::span<const iovec> parts) = 0;

  // Makes durable what was appended, and for a file, visible under its name. Once, and last.
  // Errors: as Append, and kUsage where a file of that name turned up meanwhile and may not be
  // replaced.
  virtual Result<void> Publish() = 0;

  // Makes Append and Publish return kInterrupted, one that is waiting for a reader too, from here
  // on. Async-signal-safe.
  virtual void Interrupt() = 0;

  // How many bytes were appended.
  Bytes position() const { return {position_.load(std::memory_order_relaxed)}; }

 protected:
  void Advance(uint64_t bytes) { position_.fetch_add(bytes, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> position_ = 0;
};

// Opens what `output` names: a regular file, that exists or not, becomes a FileStore; a FIFO, a
// device, or a descriptor of anything a StreamStore. Errors: kUsage (exists and may not be
// replaced, is a directory, not a descriptor), kOutput, kPermission.
Result<std::unique_ptr<Store>> OpenStore(const Output& output);

}  // namespace stillframe

#endif  // STILLFRAME_STORE_STORE_H_
