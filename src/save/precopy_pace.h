// When the rounds of a precopy have come to an end.
#ifndef STILLFRAME_SAVE_PRECOPY_PACE_H_
#define STILLFRAME_SAVE_PRECOPY_PACE_H_

#include <cstdint>

#include "save/vain_rounds.h"
#include "stillframe/units.h"

namespace stillframe {

// Decides by what a pause would cost after each round. Pure. Thread rule: one thread.
class PrecopyPace {
 public:
  // That many rounds at the most, whatever comes of them.
  static constexpr uint64_t kMostRounds = 20;
  // What may be spent inside the pause.
  explicit PrecopyPace(Duration limit) : limit_(limit) {}

  enum class Verdict {
    kGoOn,
    kFits,     // a pause now would keep within the limit
    kNoUse,    // more rounds don't help
    kTooMany,  // the bound is reached
  };
  // After a round: what a pause would take now, and what of that, at most all of it, another round
  // could spare it if nothing is written meanwhile.
  Verdict AfterRound(Duration pause, Duration to_spare);

  uint64_t rounds() const { return rounds_; }

 private:
  const Duration limit_;
  uint64_t rounds_ = 0;
  VainRounds vain_;
  int useless_ = 0;  // looks in a row that saw nothing worth sparing
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_PRECOPY_PACE_H_
