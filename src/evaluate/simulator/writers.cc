#include "evaluate/simulator/writers.h"

#include <algorithm>
#include <cmath>

#include "evaluate/simulator/tracker.h"

namespace stillframe::evaluate {
namespace {

using Pattern = WorkloadModel::Pattern;

constexpr Duration kHorizon = std::chrono::milliseconds(5);

Duration FromNs(double ns) { return Duration(static_cast<int64_t>(std::min(ns, 4e18))); }

double ToNs(Duration time) { return static_cast<double>(time.count()); }

}  // namespace

SimulatedWriters::SimulatedWriters(SimulatedWorld& world)
    : world_(world), model_(world.setup.workload) {
  const auto count = static_cast<size_t>(model_.writers);
  writers_.resize(count);
  next_.resize(count, kNever);
  if (model_.pattern == Pattern::kIdle) return;
  if (model_.rate > 0) interval_ns_ = 1e9 * static_cast<double>(count) / model_.rate;
  world_.cpus.writers = model_.pattern == Pattern::kReplay ? 0 : model_.writers;
  if (paced()) {
    world_.cpus.writer_demand = std::clamp(ToNs(model_.write) / interval_ns_, 1e-6, 1.0);
  }
  if (model_.pattern == Pattern::kReplay) {
    replay_ = ReplayedWrites(*model_.trace);
  }
  const uint64_t pages = world_.memory.pages();
  for (size_t i = 0; i < count; ++i) {
    // Wherever it is at the instant: one that began where the scan does would run into it all the
    // time.
    writers_[i].page = pages / count * i + world_.random.Below(pages / count);
    writers_[i].due_ns = interval_ns_ * world_.Uniform();
    Draw(i);
  }
}

Duration SimulatedWriters::next() const { return *std::min_element(next_.begin(), next_.end()); }

bool SimulatedWriters::InBurst(Duration time) const {
  return model_.burst.count() == 0 || time % model_.period < model_.burst;
}

Duration SimulatedWriters::BurstEnd(Duration time) const {
  if (model_.burst.count() == 0) return kNever;
  const Duration begin = time - time % model_.period;
  return InBurst(time) ? begin + model_.burst : begin + model_.period;
}

double SimulatedWriters::SpeedNs() const { return ToNs(model_.write) / world_.cpus.Share().writer; }

void SimulatedWriters::Count(Writer& writer, double n) {
  writes_ += n;
  writer.due_ns += n * interval_ns_;
}

double SimulatedWriters::SkipToFault(size_t i, Writer& writer) {
  if (model_.pattern == Pattern::kSequential) {
    const uint64_t slice = world_.memory.pages() / writers_.size();
    const uint64_t begin = slice * i;
    const uint64_t end = i + 1 == writers_.size() ? world_.memory.pages() : begin + slice;
    uint64_t page = world_.memory.NextUnsaved(writer.page, end);
    uint64_t skip = page - writer.page;
    if (page == end) {
      page = world_.memory.NextUnsaved(begin, writer.page);
      if (page == writer.page) return -1;
      skip += page - begin;
    }
    writer.page = page;
    return static_cast<double>(skip);
  }
  writer.hit = world_.memory.HitProbability();
  if (writer.hit <= 0) return -1;
  if (writer.hit >= 1) return 0;
  return std::floor(std::log(1 - world_.Uniform()) / std::log1p(-writer.hit));
}

void SimulatedWriters::Draw(size_t i) {
  if (model_.pattern == Pattern::kReplay) return DrawReplay(i);
  Writer& writer = writers_[i];
  const Duration now = world_.now;
  const Duration burst_end = BurstEnd(now);
  writer.then = Then::kDrawAgain;
  if (!InBurst(now)) {
    // What was not done in its burst is not made up for in the next one.
    writer.due_ns = ToNs(burst_end) + interval_ns_ * world_.Uniform();
    next_[i] = burst_end;
    return;
  }
  const double each = SpeedNs();
  const Duration horizon = std::min(now + kHorizon, burst_end);
  const uint64_t before = writer.page;
  const double skip = SkipToFault(i, writer);
  double at = ToNs(now) + (skip + 1) * each;
  if (paced()) at = std::max(at, writer.due_ns + skip * interval_ns_);
  if (skip >= 0 && at <= ToNs(horizon)) {
    writer.then = Then::kWrite;
    writer.skipped = static_cast<uint64_t>(skip);
    next_[i] = FromNs(at);
    return;
  }
  double done = (ToNs(horizon) - ToNs(now)) / each;
  if (paced()) {
    done = std::min(done, std::max(0.0, std::ceil((ToNs(horizon) - writer.due_ns) / interval_ns_)));
  }
  if (model_.pattern == Pattern::kSequential) {
    // Inside its slice, and short of the page that faults.
    done = skip >= 0 ? std::min(std::floor(done), skip) : std::floor(done);
    const uint64_t slice = world_.memory.pages() / writers_.size();
    const uint64_t begin = slice * i;
    writer.page = begin + (before - begin + static_cast<uint64_t>(done)) % slice;
  }
  Count(writer, done);
  next_[i] = horizon;
}

void SimulatedWriters::DrawReplay(size_t i) {
  while (replayed_ < replay_.size()) {
    const ReplayedWrite& write = replay_[replayed_++];
    if (world_.memory.IsSaved(write.page)) continue;
    writers_[i].then = Then::kWrite;
    writers_[i].page = write.page;
    next_[i] = std::max(world_.now, write.at - world_.machine.wake - world_.machine.fault);
    return;
  }
  next_[i] = kNever;
}

void SimulatedWriters::Step() {
  const auto first = std::min_element(next_.begin(), next_.end());
  const auto i = static_cast<size_t>(first - next_.begin());
  Writer& writer = writers_[i];
  switch (writer.then) {
    case Then::kDrawAgain:
      return Draw(i);
    case Then::kWrite:
      return Write(i);
    case Then::kFault:
      next_[i] = kNever;
      --world_.cpus.switching;
      return world_.tracker->OnFault(i);
    case Then::kRun:
      break;
  }
  const Duration stall = world_.now - writer.faulted;
  world_.stalls.Record(stall);
  if (stall > world_.setup.fault_limit) ++world_.report.late;
  --world_.cpus.switching;
  if (model_.pattern != Pattern::kReplay) ++world_.cpus.writers;
  Count(writer, 1);
  if (model_.pattern == Pattern::kSequential && writer.page + 1 < world_.memory.pages()) {
    ++writer.page;
  }
  Draw(i);
}

void SimulatedWriters::Write(size_t i) {
  Writer& writer = writers_[i];
  if (model_.pattern == Pattern::kReplay || model_.pattern == Pattern::kSequential) {
    if (model_.pattern == Pattern::kSequential) Count(writer, static_cast<double>(writer.skipped));
    if (world_.memory.IsSaved(writer.page)) return Draw(i);
    return Fault(i);
  }
  Count(writer, static_cast<double>(writer.skipped));
  const double hit = world_.memory.HitProbability();
  const bool hits = hit >= writer.hit || world_.Uniform() * writer.hit < hit;
  const auto page = hits ? world_.memory.PickUnsaved(world_.random) : std::nullopt;
  if (!page) {
    Count(writer, 1);
    return Draw(i);
  }
  writer.page = *page;
  Fault(i);
}

void SimulatedWriters::Fault(size_t i) {
  writers_[i].faulted = world_.now;
  writers_[i].then = Then::kFault;
  if (model_.pattern != Pattern::kReplay) --world_.cpus.writers;
  next_[i] = world_.now + Switching(world_.machine.fault);
}

Duration SimulatedWriters::Switching(Duration cpu) {
  ++world_.cpus.switching;
  return FromNs(ToNs(cpu) / world_.cpus.Share().writer);
}

void SimulatedWriters::Resume(size_t i) {
  writers_[i].then = Then::kRun;
  next_[i] = world_.now + Switching(world_.machine.resume);
}

double SimulatedWriters::WritesAlone() const {
  if (model_.pattern == Pattern::kIdle || model_.pattern == Pattern::kReplay) return 0;
  const auto count = static_cast<double>(model_.writers);
  double on = ToNs(world_.now);
  if (model_.burst.count() > 0) {
    const auto periods = static_cast<double>(world_.now / model_.period);
    on = periods * ToNs(model_.burst) + ToNs(std::min(world_.now % model_.period, model_.burst));
  }
  const double most = on * std::min(1.0, world_.machine.cpus / count) / ToNs(model_.write);
  return count * (paced() ? std::min(most, on / interval_ns_) : most);
}

}  // namespace stillframe::evaluate
