// The saver that Stillframe is not: one thread that reads faults, writes to the output itself, and
// only then opens.
#ifndef STILLFRAME_BENCH_CONTROL_SAVER_H_
#define STILLFRAME_BENCH_CONTROL_SAVER_H_

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "fault/fault_channel.h"
#include "region/page_bitmap.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "throttle/token_bucket.h"

namespace stillframe::bench {

// A control: an output that stalls must show in the writes of its target, or the measurement can't
// see stalls at all. It attaches, pauses, arms and opens by the same means as the real one, and
// holds to a bandwidth by the same bucket.
//
// Thread rule: one thread.
class ControlSaver {
 public:
  struct Times {
    TimePoint began;
    TimePoint instant;
    Duration pause{0};
    TimePoint ended;
    uint64_t faulted = 0;  // pages saved since they faulted
  };

  // `range`: all of it populated, in one mapping. `output`: written to, blocking. `bandwidth`:
  // bytes per second.
  ControlSaver(pid_t pid, AddressRange range, int output, Bytes bandwidth);

  // Saves every page once. Ends the program when anything fails.
  Times Run();

 private:
  static constexpr Pages kRun{16};

  void ArmInPause(Times* times);
  // Reads what faults wait, and serves them one after the other. Waits for one at most `timeout`.
  void ServeFaults(Duration timeout, Times* times);
  void PushRun();
  // Copies, writes, opens: in that order.
  void Save(PageRun run);
  void Write(std::span<const std::byte> bytes);

  const AddressRange range_;
  const int output_;
  std::unique_ptr<Target> target_;
  std::optional<FaultChannel> channel_;
  PageBitmap saved_;
  TokenBucket bucket_;
  PageIndex next_;
  std::vector<std::byte> buffer_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_CONTROL_SAVER_H_
