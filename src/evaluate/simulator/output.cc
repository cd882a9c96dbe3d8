#include "evaluate/simulator/output.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace stillframe::evaluate {
namespace {

constexpr Duration kLong = std::chrono::hours(1);
constexpr double kFreeRate = 1e12;

}  // namespace

OutputModel ConstantOutput(std::string name, double rate) {
  return {.name = std::move(name),
          .phases = {{.length = kLong, .bytes_per_ns = rate / 1e9}},
          .buffer = MiB(1)};
}

OutputModel LimitedOutput(std::string name, double rate) {
  OutputModel output = ConstantOutput(std::move(name), rate);
  output.buffer = {static_cast<uint64_t>(rate / 50)};
  return output;
}

OutputModel ThroughPipe(OutputModel output) {
  output.copy_page = std::chrono::microseconds(1);
  output.reader_page = std::chrono::microseconds(2);
  return output;
}

OutputModel FreeOutput() { return ConstantOutput("free", kFreeRate); }

OutputModel StallingOutput(std::string name, double rate, Duration stall, Duration period) {
  return {.name = std::move(name),
          .phases = {{.length = period - stall, .bytes_per_ns = rate / 1e9},
                     {.length = stall, .bytes_per_ns = 0}},
          .buffer = MiB(1)};
}

SimulatedOutput::SimulatedOutput(const OutputModel& model) : model_(model) {
  for (const OutputPhase& phase : model_.phases) {
    period_ += phase.length;
    in_period_ += phase.bytes_per_ns * static_cast<double>(phase.length.count());
  }
}

double SimulatedOutput::TakenUntil(Duration time) const {
  const int64_t periods = time / period_;
  Duration left = time % period_;
  double taken = static_cast<double>(periods) * in_period_;
  for (const OutputPhase& phase : model_.phases) {
    const Duration in_phase = std::min(left, phase.length);
    taken += phase.bytes_per_ns * static_cast<double>(in_phase.count());
    left -= in_phase;
  }
  return taken;
}

Duration SimulatedOutput::TimeOf(double taken) const {
  const double periods = std::floor(taken / in_period_);
  double left = taken - periods * in_period_;
  Duration time = period_ * static_cast<int64_t>(periods);
  for (const OutputPhase& phase : model_.phases) {
    const double in_phase = phase.bytes_per_ns * static_cast<double>(phase.length.count());
    if (left <= in_phase && phase.bytes_per_ns > 0) {
      return time + Duration(static_cast<int64_t>(std::ceil(left / phase.bytes_per_ns)));
    }
    left -= in_phase;
    time += phase.length;
  }
  return time;
}

Duration SimulatedOutput::Write(Duration now, Bytes bytes) {
  queued_until_ = std::max(queued_until_, TakenUntil(now)) + static_cast<double>(bytes.count);
  const double must_be_gone = queued_until_ - static_cast<double>(model_.buffer.count);
  return std::max(now, TimeOf(std::max(0.0, must_be_gone)));
}

}  // namespace stillframe::evaluate
