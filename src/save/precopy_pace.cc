#include "save/precopy_pace.h"

namespace stillframe {

PrecopyPace::Verdict PrecopyPace::AfterRound(Duration pause) {
  ++rounds_;
  if (pause <= limit_) return Verdict::kFits;
  // A fifth less, or it was in vain.
  if (shortest_ && pause > *shortest_ * 4 / 5) {
    ++vain_;
  } else {
    vain_ = 0;
  }
  if (!shortest_ || pause < *shortest_) shortest_ = pause;
  if (vain_ >= kMostVainRounds) return Verdict::kNoUse;
  return rounds_ >= kMostRounds ? Verdict::kTooMany : Verdict::kGoOn;
}

}  // namespace stillframe
