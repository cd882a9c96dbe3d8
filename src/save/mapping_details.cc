#include "save/mapping_details.h"

#include <algorithm>

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

}  // namespace stillframe
