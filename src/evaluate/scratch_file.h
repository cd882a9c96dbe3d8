// A file without a name whose every page is known, to read from.
#ifndef STILLFRAME_EVALUATE_SCRATCH_FILE_H_
#define STILLFRAME_EVALUATE_SCRATCH_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/unique_fd.h"

namespace stillframe::evaluate {

// Thread rule: const members from any thread.
class ScratchFile {
 public:
  // In `directory`; never seen there. Ends the process when it can't be made.
  ScratchFile(const std::string& directory, size_t pages, uint64_t seed);

  int fd() const { return fd_.get(); }
  size_t pages() const { return pages_; }
  // A second descriptor with O_DIRECT; none where the file system refuses.
  UniqueFd OpenDirect() const;
  // Fills `page` (kPageBytes, 8-byte aligned) with what page `i` of the file holds.
  void ExpectedPage(size_t i, std::byte* page) const;
  // Ends the process unless `page` holds what page `i` of the file holds.
  void CheckPage(const char* part, size_t i, const std::byte* page) const;

 private:
  size_t pages_;
  uint64_t seed_;
  UniqueFd fd_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SCRATCH_FILE_H_
