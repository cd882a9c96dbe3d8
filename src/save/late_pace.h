// When the rounds of copying before a late instant have come to an end.
#ifndef STILLFRAME_SAVE_LATE_PACE_H_
#define STILLFRAME_SAVE_LATE_PACE_H_

#include <cstdint>

#include "save/vain_rounds.h"
#include "stillframe/units.h"

namespace stillframe {

// Decides by how many pages are without a copy. Those are saved after the instant: until then they
// can be lost, and they pass through the stage; so it is worth a round to have few of them. The
// pause doesn't depend on it. Pure. Thread rule: one thread.
class LatePace {
 public:
  // That many rounds at the most, whatever comes of them.
  static constexpr uint64_t kMostRounds = 20;

  // `memory`: pages that are armed before the instant.
  LatePace(Pages memory, Bytes stage);

  // Before a round, the first one too: so many pages it would copy. Whether it is worth it.
  bool IsWorthRound(Pages missing);

  // How few are few enough.
  Pages few() const { return few_; }
  uint64_t rounds() const { return rounds_; }

 private:
  const Pages few_;
  uint64_t rounds_ = 0;
  VainRounds vain_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_LATE_PACE_H_
