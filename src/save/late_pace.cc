#include "save/late_pace.h"

#include <algorithm>

namespace stillframe {
namespace {

// A part of all memory, so that the window after the instant is short beside that without rounds,
// and a part of the stage, so that it is never full.
constexpr uint64_t kPartOfMemory = 128;
constexpr uint64_t kPartOfStage = 16;
// Copied in no time.
constexpr Pages kFewest{64};

}  // namespace

LatePace::LatePace(Pages memory, Bytes stage)
    : few_(std::max(kFewest, Pages{std::min(memory.count / kPartOfMemory,
                                            ToPages(stage).count / kPartOfStage)})) {}

bool LatePace::IsWorthRound(Pages missing) {
  if (missing <= few_ || rounds_ >= kMostRounds) return false;
  if (vain_.After(missing.count)) return false;
  ++rounds_;
  return true;
}

}  // namespace stillframe
