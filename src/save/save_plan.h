// What is done with each mapping of the target: write-protected, copied inside the pause, or left
// out.
#ifndef STILLFRAME_SAVE_SAVE_PLAN_H_
#define STILLFRAME_SAVE_SAVE_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "stillframe/mapping.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"
#include "sys/mapped_file.h"

namespace stillframe {

enum class Treatment {
  kArm,    // saved while the target runs: write-protected, or frozen in the child of a fork
  kCopy,   // copy it while the target stands still
  kWatch,  // copied before that, and again what was written since: see PrivateFiles
  kSkip,
};

struct PlannedMapping {
  Mapping mapping;
  Treatment treatment = Treatment::kSkip;
  AddressRange saved;  // empty when skipped; the first page only for the header of an ELF file
  std::string reason;  // why it is skipped, or not armed; empty when there is nothing to say
};

struct PlanRules {
  uint64_t filter = 0x33;  // Documentation/filesystems/proc.rst, /proc/PID/coredump_filter
  bool include_dontdump = false;
  bool can_arm_hugetlb = true;  // 5.19
  // Whether shared memory is armed where nobody else maps it. Only the owner of the process can
  // know that no child will share it, and that nobody writes to its file: such writes never fault
  // here.
  bool arm_shared = false;
  // Whether private mappings of files are armed: only where the kernel itself opens what is
  // written.
  bool arm_private_files = false;
  Bytes largest_page{0};  // larger pages of hugetlb are copied: they would not fit the stage
  std::set<FileId> mapped_by_others = {};
  // Whether the memory at this address begins with the magic number of an ELF file.
  std::function<bool(TargetAddress)> is_elf = nullptr;
};

// True for private memory of the kernel's ordinary kind, with no file behind it: a page of it that
// isn't there is zero.
bool IsPrivateAnonymous(const Mapping& mapping);
// The same for huge pages: what is behind them is a file of the kernel's own, which a private
// mapping never reads. In a private mapping of any other file of hugetlbfs, a page that isn't there
// is the file's.
bool IsAnonymousHugetlb(const Mapping& mapping);

// Takes what a core dump of the process would hold: the kernel's rules (vma_dump_size in
// fs/coredump.c) applied to what smaps tells. The result has one entry for each mapping, in order.
std::vector<PlannedMapping> PlanMappings(std::span<const Mapping> mappings, const PlanRules& rules);

// The mappings from plan[first] on that touch one another, are treated alike and are of one sort,
// files or none: plan[first] to before the one whose place is returned. What is asked of the kernel
// about all of them is one call.
size_t EndOfStretch(std::span<const PlannedMapping> plan, size_t first);

// Which files the mappings share with others or with themselves: the candidates for
// PlanRules::mapped_by_others.
std::set<FileId> SharedFiles(std::span<const Mapping> mappings);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_SAVE_PLAN_H_
