// Keeps the plan of a save in step with the target's mappings: made before the pause, brought up to
// date inside it.
#ifndef STILLFRAME_SAVE_SAVE_PLANNER_H_
#define STILLFRAME_SAVE_SAVE_PLANNER_H_

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "save/save_plan.h"
#include "stillframe/error.h"
#include "stillframe/save.h"
#include "stillframe/target.h"
#include "stillframe/units.h"
#include "sys/mapped_file.h"

namespace stillframe {

// What the way of a save can write-protect, or freeze, so that it need not be copied inside the
// pause.
struct PlanAbilities {
  bool hugetlb = false;   // private memory of it
  bool shared = false;    // shared memory that nobody else maps
  Bytes largest_page{0};  // of hugetlb
  bool private_files = false;
};

// Thread rule: the session's.
class SavePlanner {
 public:
  // Both outlive it.
  SavePlanner(const Target& target, const SaveOptions& options, bool is_self)
      : target_(target), options_(options), is_self_(is_self) {}

  // Before the pause: reads filter, mappings and their details, and plans.
  Result<void> Make(const PlanAbilities& abilities);
  // Inside the pause: plans anew, from the mappings as they are now.
  Result<void> Refresh();
  // After the pause: names the mappings that came since Make and that other processes share. They
  // were copied whoever shares them, and to ask every process takes too long for a pause.
  void NameShared();

  // The way changes what of it turns out otherwise.
  std::vector<PlannedMapping>& plan() { return plan_; }
  std::span<const PlannedMapping> plan() const { return plan_; }
  std::span<const Mapping> mappings() const { return mappings_; }
  uint64_t filter() const { return filter_; }

 private:
  Result<uint64_t> ReadFilter() const;
  void Plan();
  // Whether the mapping that begins at `address` shows the header of an ELF file. Read once of each
  // file, since a read is a system call, and there are many files.
  bool IsElf(TargetAddress address);

  const Target& target_;
  const SaveOptions& options_;
  const bool is_self_;
  PlanAbilities abilities_;
  uint64_t filter_ = 0;
  std::vector<Mapping> mappings_;
  std::set<FileId> asked_for_;  // shared files that other processes were searched for
  std::set<FileId> mapped_by_others_;
  std::map<std::pair<TargetAddress, FileId>, bool> elf_;
  std::vector<PlannedMapping> plan_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_SAVE_PLANNER_H_
