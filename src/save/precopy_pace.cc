#include "save/precopy_pace.h"

namespace stillframe {
namespace {

uint64_t Count(Duration duration) { return static_cast<uint64_t>(duration.count()); }

}  // namespace

PrecopyPace::Verdict PrecopyPace::AfterRound(Duration pause, Duration to_spare) {
  ++rounds_;
  if (pause <= limit_) return Verdict::kFits;
  // One look may have been held up by something else.
  const Duration best = pause - to_spare;
  useless_ = best > limit_ && VainRounds::IsVain(Count(pause), Count(best)) ? useless_ + 1 : 0;
  if (useless_ >= VainRounds::kMost) return Verdict::kNoUse;
  if (vain_.After(Count(pause))) return Verdict::kNoUse;
  return rounds_ >= kMostRounds ? Verdict::kTooMany : Verdict::kGoOn;
}

}  // namespace stillframe
