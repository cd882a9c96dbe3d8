// What a save saw while it ran, kept for a report or for the simulator of the throttle policies.
#ifndef STILLFRAME_SAVE_TRACE_H_
#define STILLFRAME_SAVE_TRACE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/throttle.h"
#include "stillframe/units.h"

namespace stillframe {

// A write of the target that faulted.
struct TracedFault {
  Duration arrival{0};  // at the tracker, since SaveTrace::start
  Duration wait{0};     // until its page was opened; so far, where the save ended before that
  TargetAddress address;
  bool finished = true;

  bool operator==(const TracedFault&) const = default;
};

// A look that the saver took before a run: what it saw, and what the policy decided on it.
struct TracedLook {
  Duration at{0};  // since SaveTrace::start
  Bytes stage_used;
  Bytes sent;            // to the output, since the save began
  Pages scanned;         // pushed by the scan since the save began
  bool held = false;     // the policy lets nothing through
  bool no_room = false;  // the scan's share of the stage was full, so that no policy was asked

  bool operator==(const TracedLook&) const = default;
};

// Filled by one save from the instant on; complete once its SaveSession is destroyed. The caller
// owns it.
//
// Bounded: from kMostFaults on faults are only counted. Looks that differ only by their numbers are
// kept at least `look_interval` apart; at kMostLooks every second one is dropped and the interval
// doubles, so that they always cover the whole of the save.
//
// Thread rule: one thread at a time; SaveSession::Run writes it on its own.
struct SaveTrace {
  static constexpr size_t kMostFaults = size_t{4} << 20;
  static constexpr size_t kMostLooks = size_t{1} << 18;
  static constexpr size_t kMostRanges = 1 << 16;

  // What was saved, and how.
  ThrottleOptions throttle;
  Bytes stage_size;
  Bytes max_bandwidth{0};            // per second; zero: no limit
  Pages present;                     // pages there at the instant, in `ranges`
  std::vector<AddressRange> ranges;  // armed memory by rising address; at most kMostRanges
  uint64_t ranges_left_out = 0;

  TimePoint start{};   // when the target was let run again; not part of the file
  Duration length{0};  // from then on until the last look
  ThrottleCounters counters;
  std::vector<TracedFault> faults;  // in the order in which they ended
  uint64_t faults_left_out = 0;
  std::vector<TracedLook> looks;  // by rising time
  Duration look_interval = std::chrono::microseconds(500);
};

// The file of `save --trace`: lines of text, see docs/throttling.md.
std::string EncodeTrace(const SaveTrace& trace);
// Reads one back. Any bytes may come in. Errors: kDamaged, naming the line.
Result<SaveTrace> DecodeTrace(std::string_view text);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_TRACE_H_
