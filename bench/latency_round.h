// One round of the latency benchmark: what a paced writer felt in a stretch of time with or
// without a save in it.
#ifndef STILLFRAME_BENCH_LATENCY_ROUND_H_
#define STILLFRAME_BENCH_LATENCY_ROUND_H_

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "paced_writer.h"
#include "stillframe/units.h"
#include "support/output_child.h"

namespace stillframe::bench {

enum class RoundKind {
  kNoSave,
  kDiscard,  // a save to /dev/null
  kDrain,    // a save to a pipe whose reader never stalls
  kStall,    // a save to a pipe whose reader stalls
  kControl,  // the same by ControlSaver
};
inline constexpr std::array kAllKinds = {RoundKind::kNoSave, RoundKind::kDiscard, RoundKind::kDrain,
                                         RoundKind::kStall, RoundKind::kControl};
std::string_view NameOf(RoundKind kind);

struct RoundPlan {
  Duration length = std::chrono::seconds(10);
  Bytes bandwidth{0};  // of each save: such that it takes most of the round
  StallPlan stall = {.period = std::chrono::milliseconds(250),
                     .length = std::chrono::milliseconds(50)};
};

// Late writes close to each other: what one hold-up made of the writes behind it.
struct LateStretch {
  TimePoint begin;  // intended times, first and last
  TimePoint end;
  uint64_t writes = 0;
  Duration worst{0};
};

struct RoundResult {
  TimePoint began;
  std::vector<LateStretch> stretches;
  uint64_t late = 0;  // writes over 5 ms
  uint64_t late_in_save =
      0;  // of them intended while pages were being saved, that is without those of the pause
  Duration worst{0};  // of those behind late_in_save
  Duration pause{0};
  Duration save{0};         // from the instant to the end
  uint64_t faulted = 0;     // pages
  uint64_t stalls = 0;      // of the output, with something waiting
  uint64_t stage_full = 0;  // faults that found no room
};

// Lasts plan.length, or until the save ends if that is later.
RoundResult RunRound(RoundKind kind, const PacedWriter& writer, const RoundPlan& plan);

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_LATENCY_ROUND_H_
