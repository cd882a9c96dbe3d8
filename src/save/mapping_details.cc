#include "save/mapping_details.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "sys/process_status.h"

namespace stillframe {
namespace {

bool SameKind(const Mapping& a, const Mapping& b) {
  return a.shared == b.shared && a.inode == b.inode && a.device_major == b.device_major &&
         a.device_minor == b.device_minor && a.name == b.name;
}

void CopyDetails(const Mapping& from, Mapping* to) {
  to->has_details = true;
  to->kernel_page_size = from.kernel_page_size;
  to->resident = from.resident;
  to->anonymous = from.anonymous;
  to->swapped = from.swapped;
  to->dont_dump = from.dont_dump;
  to->io = from.io;
  to->hugetlb = from.hugetlb;
  to->mergeable = from.mergeable;
  to->tracked = from.tracked;
}

}  // namespace

bool CarryDetails(std::span<const Mapping> earlier, std::vector<Mapping>* now) {
  bool complete = true;
  size_t from = 0;
  for (Mapping& mapping : *now) {
    while (from < earlier.size() && earlier[from].range.end <= mapping.range.begin) ++from;
    for (size_t i = from; i < earlier.size() && earlier[i].range.begin < mapping.range.end; ++i) {
      if (SameKind(earlier[i], mapping)) {
        CopyDetails(earlier[i], &mapping);
        break;
      }
    }
    if (mapping.has_details) {
      // A private file mapping may have been written since smaps was read. Nothing is lost by
      // thinking so.
      if (mapping.writable && mapping.has_file() && !mapping.shared && !mapping.hugetlb) {
        mapping.anonymous = std::max(mapping.anonymous, kPageSize);
      }
      continue;
    }
    if (mapping.has_file()) {
      complete = false;
    } else {
      mapping.has_details = true;  // private anonymous memory of ordinary pages
    }
  }
  return complete;
}

bool AskFileForDetails(pid_t pid, Mapping* mapping) {
  char path[96];
  std::snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, LiveThreadOf(pid),
                mapping->range.begin.value, mapping->range.end.value);
  struct statfs file_system = {};
  if (statfs(path, &file_system) != 0) return false;
  mapping->hugetlb = file_system.f_type == HUGETLBFS_MAGIC;
  if (mapping->hugetlb) {
    mapping->kernel_page_size = Bytes{static_cast<uint64_t>(file_system.f_bsize)};
  }
  if (mapping->writable && !mapping->shared && !mapping->hugetlb) {
    mapping->anonymous = kPageSize;
  }
  mapping->has_details = true;
  return true;
}

}  // namespace stillframe
