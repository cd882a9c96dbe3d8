// All parts of the workload together: starts them, stops them, checks them, reports.
#ifndef STILLFRAME_EVALUATE_WORKLOAD_H_
#define STILLFRAME_EVALUATE_WORKLOAD_H_

#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evaluate/activity_thread.h"
#include "evaluate/mapped_memory.h"
#include "evaluate/scratch_file.h"
#include "evaluate/status_page.h"
#include "evaluate/ticket_board.h"
#include "evaluate/uring_reader.h"
#include "evaluate/workload_options.h"

namespace stillframe::evaluate {

// Thread rule: one thread.
class Workload {
 public:
  explicit Workload(const WorkloadOptions& options);

  // Starts all threads and returns when the memory of each is prepared. Once.
  void Start();
  // Stops all, then checks all memory.
  void Finish();

  // One line of JSON: `pid`, `arena` {`begin`, `end`}, `parts`, `missing` (parts that this machine
  // can't do), and with tickets `tickets` {`address`, `writers`, `slots`}.
  std::string Describe() const;
  // One line of JSON, after Finish: `schema` 1, `writes`, `latency_us` {`p50`, `p90`, `p99`,
  // `p999`, `max`}, `over_5ms`, `steps` by part.
  std::string Report() const;

 private:
  bool Wants(const char* part) const { return options_.parts.contains(part); }
  void Add(const char* part, double rate, std::unique_ptr<Activity> activity, double phase = 0,
           bool measured = false);
  void AddWriters();
  void AddMemoryParts();
  void AddReaders();
  void AddUringReader(const char* name, UringReader::Buffers kind, uint64_t seed);
  void AddTicketWriters();

  const WorkloadOptions options_;
  StatusPage status_;
  MappedMemory arena_;
  std::optional<ScratchFile> file_;
  std::shared_ptr<TicketBoard> tickets_;
  std::vector<std::string> missing_;
  std::optional<std::latch> prepared_;
  std::vector<std::unique_ptr<ActivityThread>> threads_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_WORKLOAD_H_
