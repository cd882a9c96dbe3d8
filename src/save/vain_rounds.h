// Whether rounds that should make something smaller still do.
#ifndef STILLFRAME_SAVE_VAIN_ROUNDS_H_
#define STILLFRAME_SAVE_VAIN_ROUNDS_H_

#include <algorithm>
#include <cstdint>
#include <optional>

namespace stillframe {

// A round that leaves more than four fifths of the least so far was in vain. Pure. Thread rule: one
// thread.
class VainRounds {
 public:
  // So many in a row, and more would be, too.
  static constexpr int kMost = 2;

  // To make `before` into `after`, which is not more.
  static bool IsVain(uint64_t before, uint64_t after) { return after > before - before / 5; }
  // So much is left now. True when it is time to end.
  bool After(uint64_t left) {
    if (!least_ || !IsVain(*least_, left)) {
      in_a_row_ = 0;
    } else {
      ++in_a_row_;
    }
    least_ = std::min(left, least_.value_or(left));
    return in_a_row_ >= kMost;
  }

 private:
  std::optional<uint64_t> least_;
  int in_a_row_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_VAIN_ROUNDS_H_
