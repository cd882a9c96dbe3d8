#include "latency_round.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "control_saver.h"
#include "support/machine.h"
#include "support/timed_save.h"

namespace stillframe::bench {
namespace {

// Before a save begins, so that its pause lies within the round.
constexpr Duration kLead = std::chrono::milliseconds(200);
// From the instant until the last thread has been resumed, and the writer has made up for what it
// could not write.
constexpr Duration kResume = std::chrono::milliseconds(10);

// Between late writes that have causes of their own.
constexpr Duration kGap = std::chrono::milliseconds(5);

// When pages were being saved.
struct Saving {
  TimePoint from;
  TimePoint to;
};

Saving SaveByLibrary(const PacedWriter& writer, const Output& output, Bytes bandwidth,
                     RoundResult* result) {
  SaveOptions options;
  options.max_bandwidth = bandwidth;
  const TimedSave save = OrDie("saving", SaveTimed(writer.pid(), output, options));
  result->pause = save.summary.pause;
  result->save = save.ended - save.instant;
  result->faulted = save.summary.pages.faulted.count;
  result->stage_full = save.summary.stage_full;
  return {save.instant + kResume, save.ended};
}

Saving SaveByControl(const PacedWriter& writer, int output, Bytes bandwidth, RoundResult* result) {
  ControlSaver saver(writer.pid(), writer.range(), output, bandwidth);
  const ControlSaver::Times times = saver.Run();
  result->pause = times.pause;
  result->save = times.ended - times.instant;
  result->faulted = times.faulted;
  return {times.instant + kResume, times.ended};
}

Saving Save(RoundKind kind, const PacedWriter& writer, const RoundPlan& plan, RoundResult* result) {
  if (kind == RoundKind::kDiscard) {
    return SaveByLibrary(writer, {.path = "/dev/null"}, plan.bandwidth, result);
  }
  OutputChild output(kind == RoundKind::kDrain ? StallPlan{} : plan.stall);
  const Saving saving =
      kind == RoundKind::kControl
          ? SaveByControl(writer, output.descriptor(), plan.bandwidth, result)
          : SaveByLibrary(writer, {.descriptor = output.descriptor()}, plan.bandwidth, result);
  output.Finish();
  result->stalls = output.stalls();
  return saving;
}

std::vector<LateStretch> StretchesOf(const std::vector<LateWrite>& late) {
  std::vector<LateStretch> stretches;
  for (const LateWrite& write : late) {
    if (stretches.empty() || write.intended > stretches.back().end + kGap) {
      stretches.push_back({.begin = write.intended, .end = write.intended});
    }
    LateStretch& stretch = stretches.back();
    stretch.end = write.intended;
    ++stretch.writes;
    stretch.worst = std::max(stretch.worst, write.latency);
  }
  return stretches;
}

}  // namespace

std::string_view NameOf(RoundKind kind) {
  switch (kind) {
    case RoundKind::kNoSave:
      return "no save";
    case RoundKind::kDiscard:
      return "discard";
    case RoundKind::kDrain:
      return "drain";
    case RoundKind::kStall:
      return "stall";
    case RoundKind::kControl:
      return "control";
  }
  return "";
}

RoundResult RunRound(RoundKind kind, const PacedWriter& writer, const RoundPlan& plan) {
  RoundResult result;
  const Clock& clock = MonotonicClock();
  const TimePoint begin = clock.Now();
  std::optional<Saving> saving;
  if (kind != RoundKind::kNoSave) {
    std::this_thread::sleep_for(kLead);
    saving = Save(kind, writer, plan, &result);
  }
  std::this_thread::sleep_until(begin + plan.length);
  const std::vector<LateWrite> late =
      writer.LateIn(begin, std::max(begin + plan.length, clock.Now()));
  result.began = begin;
  result.stretches = StretchesOf(late);
  result.late = late.size();
  for (const LateWrite& write : late) {
    if (saving && (write.intended < saving->from || write.intended >= saving->to)) continue;
    ++result.late_in_save;
    result.worst = std::max(result.worst, write.latency);
  }
  return result;
}

}  // namespace stillframe::bench
