// An output of a simulated save: how long its writes take.
#ifndef STILLFRAME_EVALUATE_SIMULATOR_OUTPUT_H_
#define STILLFRAME_EVALUATE_SIMULATOR_OUTPUT_H_

#include <optional>
#include <string>
#include <vector>

#include "stillframe/units.h"

namespace stillframe::evaluate {

// A stretch of time in which the output takes so much.
struct OutputPhase {
  Duration length{0};
  double bytes_per_ns = 0;  // 0: it stalls
};

struct OutputModel {
  std::string name;
  // One after the other, for ever. One at least, and one of them with a rate.
  std::vector<OutputPhase> phases;
  Bytes buffer{0};  // what it takes without being waited for: a pipe, a socket
  // CPU time for each page: of the output's thread, which copies it into a pipe, and of who reads
  // it there.
  Duration copy_page{0};
  Duration reader_page{0};
  // Since the start: from then on every write fails.
  std::optional<Duration> fails_at = std::nullopt;
};

// `rate`: bytes per second.
OutputModel ConstantOutput(std::string name, double rate);
// As --max-bandwidth makes of any: little is saved up while nothing is written.
OutputModel LimitedOutput(std::string name, double rate);
// So fast that nothing ever waits for it.
OutputModel FreeOutput();
// The same through a pipe with another process at its end.
OutputModel ThroughPipe(OutputModel output);
// Takes nothing for `stall` of each `period`, at its end.
OutputModel StallingOutput(std::string name, double rate, Duration stall, Duration period);

// Thread rule: one thread.
class SimulatedOutput {
 public:
  explicit SimulatedOutput(const OutputModel& model);

  // When a write of so many bytes, begun at `now` (since the start), returns. Writes come by rising
  // time.
  Duration Write(Duration now, Bytes bytes);
  bool FailsAt(Duration now) const { return model_.fails_at && now >= *model_.fails_at; }

 private:
  // Bytes it could have taken from the start until `time`, and the other way round.
  double TakenUntil(Duration time) const;
  Duration TimeOf(double taken) const;

  const OutputModel model_;
  Duration period_{0};
  double in_period_ = 0;     // bytes
  double queued_until_ = 0;  // what it will have had the time for when all that was written is gone
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SIMULATOR_OUTPUT_H_
