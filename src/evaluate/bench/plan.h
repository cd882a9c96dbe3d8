// What the bench is asked to do.
#ifndef STILLFRAME_EVALUATE_BENCH_PLAN_H_
#define STILLFRAME_EVALUATE_BENCH_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evaluate/bench/sequence.h"
#include "evaluate/pacer.h"
#include "stillframe/save.h"
#include "stillframe/units.h"

namespace stillframe::evaluate {

// A kind of program to be saved.
struct BenchWorkloadKind {
  std::string_view name;
  std::string_view about;
  WriteSpread spread = WriteSpread::kUniform;
  bool writes = true;
  bool churns = false;  // allocates, frees, discards and remaps beside the writes
  Pacer::Bursts bursts = {};
};
std::span<const BenchWorkloadKind> BenchWorkloadKinds();
const BenchWorkloadKind* FindBenchWorkloadKind(std::string_view name);

// A way to save it.
struct BenchMethod {
  enum class By {
    kNobody,   // nothing is saved, for comparison
    kLibrary,  // a session of this library
    kItself,   // the workload forks, and the child writes its memory out
    kCommand,  // another program
  };

  std::string name;
  std::string about;
  By by = By::kLibrary;
  SaveOptions options = {};  // of kLibrary
  std::string command = {};  // of kCommand: for sh -c, with PID and OUTPUT in its environment
  bool usual = true;         // taken unless others are asked for

  bool saves() const { return by != By::kNobody; }
};
using BenchMethodPtr = std::shared_ptr<const BenchMethod>;
// All but those by a command.
const std::vector<BenchMethodPtr>& BenchMethods();
// "skip", or "NAME=COMMAND" for a method by a command. Null where there is no such method.
BenchMethodPtr FindBenchMethod(std::string_view name);

// Where images go.
struct BenchOutputPlan {
  enum class Kind { kNull, kFile, kPipe };

  Kind kind = Kind::kNull;
  std::string name = "null";  // as the user wrote it
  std::string path;           // of kFile; removed after each save
  // Of kPipe: its reader stalls for `stall` at the end of every `period`, or with a period of zero
  // once, kBeforeStall behind the first bytes; and takes at most `bandwidth` a second. Zero: never,
  // no limit.
  Duration stall{0};
  Duration period{0};
  Bytes bandwidth{0};

  static constexpr Duration kBeforeStall = std::chrono::milliseconds(100);
};

struct BenchPlan {
  const BenchWorkloadKind* workload = nullptr;
  Bytes memory = GiB(2);
  size_t threads = 2;  // writers, 1 to kMostThreads
  double rate = 2000;  // writes per second, all writers together; 0: as fast as it goes
  uint64_t seed = 1;
  BenchOutputPlan output;
  std::vector<BenchMethodPtr> methods;  // with "none" among them
  size_t runs = 5;
  // Keep what a report draws, of the last run of each method.
  bool record = false;
  // A round is given up when it takes longer; of methods by a command only.
  Duration command_timeout = std::chrono::minutes(5);
  // For tests of the bench itself: a writer is held up for that long in every round, before the
  // save begins; a wrong byte is put after so many writes.
  Duration inject_stall{0};
  uint64_t corrupt_after = 0;

  static constexpr size_t kMostThreads = 32;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_PLAN_H_
