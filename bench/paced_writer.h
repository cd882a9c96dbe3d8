// A target that writes at a fixed rate and notes each write that came late.
#ifndef STILLFRAME_BENCH_PACED_WRITER_H_
#define STILLFRAME_BENCH_PACED_WRITER_H_

#include <semaphore.h>
#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "stillframe/units.h"
#include "support/child_process.h"
#include "support/shared_object.h"

namespace stillframe::bench {

// A write that was done more than PacedWriter::kLate after it was intended.
struct LateWrite {
  TimePoint intended;
  Duration latency{0};
};

// Each write goes to a random page, the page's content is checked first. Latency counts from when
// the write was intended, so one that holds up those behind it makes them late as well.
//
// Thread rule: one thread.
class PacedWriter {
 public:
  static constexpr Duration kLate = std::chrono::milliseconds(5);

  // Fills its memory, then writes until it is destroyed.
  PacedWriter(Bytes memory, double writes_per_second);

  pid_t pid() const { return child_->pid(); }
  // Where its memory is: private and anonymous, every page filled.
  AddressRange range() const { return range_; }

  uint64_t writes() const { return shared_->writes.load(); }
  // The late writes that were intended in [begin, end), once all of those are done.
  std::vector<LateWrite> LateIn(TimePoint begin, TimePoint end) const;

 private:
  static constexpr size_t kMostLate = 1 << 20;
  struct Shared {
    Shared();
    sem_t ready;
    std::atomic<uint64_t> writes = 0;
    std::atomic<int64_t> written_up_to_ns = 0;  // the intended time of the last write that was done
    std::atomic<uint64_t> late_count = 0;
    std::array<LateWrite, kMostLate> late;
  };

  int Write(std::byte* memory, uint64_t pages, double rate) const;

  SharedObject<Shared> shared_;
  AddressRange range_;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_PACED_WRITER_H_
