// A file whose bytes come in any order, and that appears under its name only when it is complete.
#ifndef STILLFRAME_STORE_PLACED_STORE_H_
#define STILLFRAME_STORE_PLACED_STORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "stillframe/error.h"
#include "stillframe/units.h"
#include "store/new_file.h"
#include "store/placed_write_behind.h"

namespace stillframe {

// Places are offsets from the file's begin. What was never written is a hole and reads as zeros.
// After a failure the file holds nobody knows what, and the store is good for nothing but
// destruction; without a Publish that succeeded it leaves nothing behind. Never raises SIGXFSZ.
//
// Thread rule: one thread at a time; Interrupt and written from any thread.
// Errors of all that writes: kOutput (no space, the file would be too large), kPermission,
// kInterrupted.
class PlacedStore {
 public:
  struct Options {
    // Both as NewFile's.
    bool force = false;
    bool unnamed = true;
    // False: as if the file system could make no holes, or copy nothing within a file.
    bool holes = true;
    bool copies = true;
  };

  // As NewFile::Open.
  static Result<std::unique_ptr<PlacedStore>> Open(const std::string& path, const Options& options);

  // May block; no allocation of more than a few bytes.
  Result<void> WriteAt(uint64_t offset, std::span<const std::byte> bytes);
  // Makes what stands there read as zeros, as a hole. False where there can be none, and nothing
  // was done: WriteZeros does it as well, and goes to the disk.
  bool MakeHole(uint64_t offset, Bytes size);
  Result<void> WriteZeros(uint64_t offset, Bytes size);
  // The two places must not overlap.
  Result<void> Copy(uint64_t from, uint64_t to, Bytes size);
  // Cuts the file off, or makes it larger by a hole. Says kOutput at once where the file system
  // can't have a file of that size.
  Result<void> SetSize(Bytes size);

  // As NewFile::Publish.
  Result<void> Publish() { return file_->Publish(); }
  void Interrupt() { file_->Interrupt(); }

  // Bytes that went out: written, erased without a hole, copied.
  Bytes written() const { return {written_.load(std::memory_order_relaxed)}; }
  const std::string& path() const { return file_->path(); }

 private:
  PlacedStore(std::unique_ptr<NewFile> file, const Options& options);

  // 0 or errno.
  int PunchHole(uint64_t offset, Bytes size);
  // At most `size`; what can't be copied by the kernel goes through our memory.
  Result<uint64_t> CopySome(uint64_t from, uint64_t to, uint64_t size);
  Result<uint64_t> CopyThroughMemory(uint64_t from, uint64_t to, uint64_t size);
  Result<void> NoteWritten(uint64_t offset, uint64_t bytes);

  const std::unique_ptr<NewFile> file_;
  bool holes_;
  bool copies_;
  PlacedWriteBehind write_behind_;
  std::atomic<uint64_t> written_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_PLACED_STORE_H_
