// A private mapping of a file: pages are written, and given back so that they show the file again.
#ifndef STILLFRAME_EVALUATE_FILE_OVERWRITER_H_
#define STILLFRAME_EVALUATE_FILE_OVERWRITER_H_

#include <cstdint>
#include <vector>

#include "evaluate/activity.h"
#include "evaluate/mapped_memory.h"
#include "evaluate/page_pattern.h"
#include "evaluate/scratch_file.h"

namespace stillframe::evaluate {

class FileOverwriter final : public Activity {
 public:
  // `pages` at least 64. `file` outlives this and has at least as many.
  FileOverwriter(size_t pages, const ScratchFile& file, uint64_t seed);

  void Prepare() override;
  void Step() override;
  void CheckAll() override;
  void Corrupt() override;

 private:
  std::byte* page(size_t i) const { return memory_.data() + i * kPageBytes; }
  void Write(size_t i);
  void Check(size_t i) const;

  const ScratchFile& file_;
  MappedMemory memory_;
  std::vector<uint32_t> generations_;  // 0: the page must show the file
  uint32_t next_ = 0;
  uint64_t seed_;
  Random random_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_FILE_OVERWRITER_H_
