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

// An io_uring of its own.
class Uring {
 public:
  // None where the kernel or its settings refuse.
  static std::unique_ptr<Uring> Create();
  // Registers one buffer; what is read into it then is no fault, armed or not. False where the
  // settings (RLIMIT_MEMLOCK) refuse.
  bool Register(std::byte* begin, size_t size);
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
  // Whether the buffers are registered with the ring.
  enum class Buffers { kPlain, kRegistered };

  // `buffers` of a few pages each; `file` outlives this. None where they can't be registered.
  static std::unique_ptr<UringReader> Create(Buffers kind, size_t buffers, const ScratchFile& file,
                                             std::unique_ptr<Uring> ring, uint64_t seed);

  void Prepare() override;
  // Several reads at once into buffers that were only read by us since the last time.
  void Step() override;
  void CheckAll() override;
  void Corrupt() override;

 private:
  static constexpr size_t kRunPages = 8;
  static constexpr size_t kAtOnce = 4;

  UringReader(Buffers kind, size_t buffers, const ScratchFile& file, std::unique_ptr<Uring> ring,
              uint64_t seed);
  const char* name() const { return kind_ == Buffers::kPlain ? "uring" : "uring-fixed"; }
  void PrepareRead(io_uring_sqe* sqe, size_t i) const;
  std::byte* Buffer(size_t i) const { return memory_.data() + i * kRunPages * kPageBytes; }
  void Read(size_t first, size_t count);
  void Check(size_t i) const;

  const Buffers kind_;
  const ScratchFile& file_;
  MappedMemory memory_;
  std::unique_ptr<Uring> ring_;  // behind the memory: the ring goes first
  std::vector<size_t> holds_;    // by buffer: the first page of the file that it holds
  Random random_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_URING_READER_H_
