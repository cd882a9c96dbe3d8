#include "support/output_child.h"

#include "base/clock.h"
#include "support/machine.h"

namespace stillframe::bench {

OutputChild::OutputChild(const StallPlan& plan) {
  evaluate::BenchOutputPlan output;
  output.kind = evaluate::BenchOutputPlan::Kind::kPipe;
  output.stall = plan.length;
  output.period = plan.period;
  const auto note = [&log = *log_](Bytes total) {
    if (log.count < kMostArrivals) log.arrivals[log.count++] = {MonotonicClock().Now(), total};
  };
  reader_ = OrDie("starting the reader of a pipe", evaluate::PipeReader::Start(output, note));
}

std::span<const OutputChild::Arrival> OutputChild::arrivals() const {
  return {log_->arrivals.data(), log_->count};
}

}  // namespace stillframe::bench
