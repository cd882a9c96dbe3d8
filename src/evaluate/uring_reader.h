// Reads a file through io_uring, inline and by the kernel's worker threads.
#ifndef STILLFRAME_EVALUATE_URING_READER_H_
#define STILLFRAME_EVALUATE_URING_READER_H_

#include <liburing.h>

#include <memory>
#include <vector>

#include "evaluate/activity.h"
#include "evaluate/mapped_memory.h"
#include "evaluate/page_pattern.h"
#include "evaluate/scratch_file.h"

namespace stillframe::evaluate {

// An io_uring of its own. Plain buffered reads only: registered buffers and O_DIRECT pin pages,
// which write-protection doesn't see.
class Uring {
 public:
  // None where the kernel or its settings refuse.
  static std::unique_ptr<Uring> Create();
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;
  ~Uring();
  io_uring* get() { return &ring_; }

 private:
  Uring() = default;
  io_uring ring_ = {};
  bool made_ = false;
};

class UringReader final : public Activity {
 public:
  // `buffers` of a few pages each; `file` outlives this.
  UringReader(size_t buffers, const ScratchFile& file, std::unique_ptr<Uring> ring, uint64_t seed);

  void Prepare() override;
  // Several reads at once into buffers that were only read by us since the last time.
  void Step() override;
  void CheckAll() override;
  void Corrupt() override;

 private:
  static constexpr size_t kRunPages = 8;
  static constexpr size_t kAtOnce = 4;

  std::byte* Buffer(size_t i) const { return memory_.data() + i * kRunPages * kPageBytes; }
  void Read(size_t first, size_t count);
  void Check(size_t i) const;

  const ScratchFile& file_;
  std::unique_ptr<Uring> ring_;
  MappedMemory memory_;
  std::vector<size_t> holds_;  // by buffer: the first page of the file that it holds
  Random random_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_URING_READER_H_
