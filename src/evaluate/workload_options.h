// What the workload is asked to do.
#ifndef STILLFRAME_EVALUATE_WORKLOAD_OPTIONS_H_
#define STILLFRAME_EVALUATE_WORKLOAD_OPTIONS_H_

#include <cstdint>
#include <set>
#include <string>

#include "evaluate/malloc_churn.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe::evaluate {

struct WorkloadOptions {
  Bytes memory = MiB(256);  // of the arena that the random and sequential writers share
  size_t threads = 4;       // writers, 1 to 32; as many ticket writers if there are any
  double rate = 0;          // writes per second, all writers together; 0: no limit
  uint64_t seed = 1;
  double seconds = 0;           // 0: until SIGTERM or SIGINT
  std::set<std::string> parts;  // see PartNames
  double churn_rate = 200;      // frees per second
  MallocChurn::Plan churn;
  size_t ticket_pages = 4096;    // a power of two
  std::string status;            // path of the status page's file; empty: none
  std::string scratch = "/tmp";  // where the file to read from is made
  bool report_latency = false;
  uint64_t corrupt_after = 0;  // steps of `corrupt_part` after which it puts a wrong byte; 0: never
  std::string corrupt_part;    // empty: the first part there is
};

// All parts there are; "tickets" is the only one that is not on unless asked for.
const std::set<std::string>& PartNames();

// Errors: kUsage, with a message that names the option. --help prints and exits.
Result<WorkloadOptions> ParseWorkloadOptions(int argc, char** argv);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_WORKLOAD_OPTIONS_H_
