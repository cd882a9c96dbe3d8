#include "save/precopy_pace.h"

namespace stillframe {
namespace {

uint64_t Count(Duration duration) { return static_cast<uint64_t>(duration.count()); }

}  // namespace

PrecopyPace::Verdict PrecopyPace::AfterRound(Duration pause, Duration to_spare) {
  ++rounds_;
  if (pause <= limit_) return Verdict::kFits;
  if (VainRounds::IsVain(Count(pause), Count(pause - to_spare))) return Verdict::kNoUse;
  if (vain_.After(Count(pause))) return Verdict::kNoUse;
  return rounds_ >= kMostRounds ? Verdict::kTooMany : Verdict::kGoOn;
}

}  // namespace stillframe
