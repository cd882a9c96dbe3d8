#include "evaluate/file_overwriter.h"

#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {

FileOverwriter::FileOverwriter(size_t pages, const ScratchFile& file, uint64_t seed)
    : file_(file),
      memory_(MappedMemory::OfFile(file.fd(), pages * kPageBytes, MAP_PRIVATE)),
      generations_(pages, 0),
      seed_(seed),
      random_(seed) {}

void FileOverwriter::Prepare() {
  for (size_t i = 0; i < generations_.size(); ++i) Write(i);
}

void FileOverwriter::Write(size_t i) {
  // Never again the content that it had before it was given back.
  if (++next_ == 0) next_ = 1;
  FillPage(page(i), seed_, i, next_);
  generations_[i] = next_;
}

void FileOverwriter::Check(size_t i) const {
  if (generations_[i] == 0) {
    file_.CheckPage("overwrite", i, page(i));
  } else if (const auto offset = FindWrongWord(page(i), seed_, i, generations_[i])) {
    FailCheck("overwrite",
              "page " + std::to_string(i) +
                  " of a private mapping of a file is not of generation " +
                  std::to_string(generations_[i]),
              page(i) + *offset);
  }
}

void FileOverwriter::Step() {
  const size_t first = random_.Below(generations_.size());
  const size_t count = std::min(generations_.size() - first, 1 + random_.Below(16));
  for (size_t i = first; i < first + count; ++i) Check(i);
  if (random_.Below(4) == 0) {
    if (madvise(page(first), count * kPageBytes, MADV_DONTNEED) != 0) {
      FailCall("overwrite", "madvise(MADV_DONTNEED)");
    }
    std::fill_n(generations_.begin() + static_cast<ptrdiff_t>(first), count, 0u);
  }
  for (size_t i = first; i < first + count; ++i) {
    // Some stay as they are, some are read and so show the file, most are written.
    const uint64_t what = random_.Below(8);
    if (what == 1) Check(i);
    if (what >= 2) Write(i);
  }
}

void FileOverwriter::CheckAll() {
  for (size_t i = 0; i < generations_.size(); ++i) Check(i);
}

void FileOverwriter::Corrupt() {
  for (size_t i = 0; i < generations_.size(); ++i) {
    page(i)[kPageBytes / 2 + 1] ^= std::byte{0x10};
  }
}

}  // namespace stillframe::evaluate
