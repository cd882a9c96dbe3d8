// The writers of a simulated target.
#ifndef STILLFRAME_EVALUATE_SIMULATOR_WRITERS_H_
#define STILLFRAME_EVALUATE_SIMULATOR_WRITERS_H_

#include <cstdint>
#include <vector>

#include "evaluate/simulator/replay.h"
#include "evaluate/simulator/world.h"

namespace stillframe::evaluate {

// Only writes that fault are events: how many there are before the next one that does follows from
// how much is saved already. That share only falls, so what was drawn may turn out not to fault,
// and is then drawn again; and it is drawn anew after 5 ms at the latest, since the CPUs' load
// changes.
class SimulatedWriters {
 public:
  explicit SimulatedWriters(SimulatedWorld& world);

  // When the first of them has something to do.
  Duration next() const;
  void Step();
  // The page that it waits for was opened at the world's time.
  void Resume(size_t writer);
  uint64_t PageOf(size_t writer) const { return writers_[writer].page; }

  // Writes so far, up to the world's time.
  double writes() const { return writes_; }
  // Those that there would have been by now without a save.
  double WritesAlone() const;

 private:
  enum class Then { kWrite, kFault, kDrawAgain, kRun };
  struct Writer {
    Then then = Then::kDrawAgain;
    uint64_t page = 0;     // that it writes next, or waits for; sequential: from where it goes on
    uint64_t skipped = 0;  // writes before the one that is to fault
    double hit = 0;        // what the share of unsaved pages was when that was drawn
    double due_ns = 0;     // paced: when its next write is due
    Duration faulted{0};
  };

  bool paced() const { return interval_ns_ > 0; }
  double SpeedNs() const;  // of one write, by the CPUs' load
  void Draw(size_t i);
  // How many writes there are before one that faults; below zero: none in sight.
  double SkipToFault(size_t i, Writer& writer);
  void DrawReplay(size_t i);
  // The end of the burst that `time` lies in, or the begin of the next one where it lies in none.
  Duration BurstEnd(Duration time) const;
  bool InBurst(Duration time) const;
  void Write(size_t i);
  void Fault(size_t i);
  // How long so much work in the kernel takes a writer just now, which then counts as at it.
  Duration Switching(Duration cpu);
  // Counts `n` writes of it.
  void Count(Writer& writer, double n);

  SimulatedWorld& world_;
  const WorkloadModel& model_;
  double interval_ns_ = 0;  // between two writes of one writer; 0: as fast as it can
  std::vector<Writer> writers_;
  std::vector<Duration> next_;
  std::vector<ReplayedWrite> replay_;
  size_t replayed_ = 0;
  double writes_ = 0;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_SIMULATOR_WRITERS_H_
