// Reads a file with O_DIRECT: the kernel writes into its memory.
#ifndef STILLFRAME_EVALUATE_DIRECT_READER_H_
#define STILLFRAME_EVALUATE_DIRECT_READER_H_

#include <vector>

#include "base/unique_fd.h"
#include "evaluate/activity.h"
#include "evaluate/mapped_memory.h"
#include "evaluate/page_pattern.h"
#include "evaluate/scratch_file.h"

namespace stillframe::evaluate {

class DirectReader final : public Activity {
 public:
  // `buffers` of kRunPages pages each; `file` outlives this. `direct` comes from file.OpenDirect().
  DirectReader(size_t buffers, const ScratchFile& file, UniqueFd direct, uint64_t seed);

  void Prepare() override;
  // Checks what a buffer got last time, then reads another place of the file into it. It never
  // writes there itself, or the kernel's write would meet no protection.
  void Step() override;
  void CheckAll() override;
  void Corrupt() override;

 private:
  static constexpr size_t kRunPages = 16;

  std::byte* Buffer(size_t i) const { return memory_.data() + i * kRunPages * kPageBytes; }
  void Read(size_t i);
  void Check(size_t i) const;

  const ScratchFile& file_;
  UniqueFd direct_;
  MappedMemory memory_;
  std::vector<size_t> holds_;  // by buffer: the first page of the file that it holds
  Random random_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_DIRECT_READER_H_
