// The parent of the difference in the corpus.
#ifndef STILLFRAME_TESTS_FUZZ_FUZZ_PARENT_H_
#define STILLFRAME_TESTS_FUZZ_FUZZ_PARENT_H_

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "base/unique_fd.h"
#include "hand_image.h"
#include "image_samples.h"

namespace stillframe {

// Images that are fuzzed lie in /proc/self/fd, so that is where a parent is looked for by its name:
// its descriptor always has the same number.
class FuzzParent {
 public:
  static constexpr const char* kName = "700";

  FuzzParent() : file_(PackedImage().Build()) {
    const UniqueFd opened(open(file_.path().c_str(), O_RDONLY | O_CLOEXEC));
    descriptor_.reset(dup2(opened.get(), kNumber));
    if (descriptor_.get() != kNumber) std::abort();
  }

 private:
  static constexpr int kNumber = 700;

  MemoryFile file_;
  UniqueFd descriptor_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TESTS_FUZZ_FUZZ_PARENT_H_
