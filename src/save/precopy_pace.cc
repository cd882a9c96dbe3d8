#include "save/precopy_pace.h"

namespace stillframe {

PrecopyPace::Verdict PrecopyPace::AfterRound(Duration pause) {
  ++rounds_;
  if (pause <= limit_) return Verdict::kFits;
  if (vain_.After(static_cast<uint64_t>(pause.count()))) return Verdict::kNoUse;
  return rounds_ >= kMostRounds ? Verdict::kTooMany : Verdict::kGoOn;
}

}  // namespace stillframe
