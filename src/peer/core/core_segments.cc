#include "peer/core/core_segments.h"

#include <elf.h>

namespace stillframe {
namespace {

uint32_t FlagsOf(const Mapping& mapping) {
  return (mapping.readable ? PF_R : 0u) | (mapping.writable ? PF_W : 0u) |
         (mapping.executable ? PF_X : 0u);
}

// Puts the parts of one mapping together, each from the end of the one before.
class MappingCutter {
 public:
  MappingCutter(const Mapping& mapping, std::vector<CoreSegment>* segments)
      : at_(mapping.range.begin),
        flags_(FlagsOf(mapping)),
        first_(segments->size()),
        segments_(segments) {}

  void Saved(TargetAddress end) {
    if (end > at_) Add({{at_, end}, end - at_, flags_});
    at_ = end;
  }
  // One for lost ranges side by side: they may differ in their reason.
  void Lost(TargetAddress end) {
    if (!has_one() || !last().memory.empty()) Add({{at_, at_}, Bytes{0}, flags_});
    at_ = end;
  }
  // Not to be in the file: the tail of what is, if there is such.
  void LeftOut(TargetAddress end) {
    if (end <= at_) return;
    if (has_one() && last().memory.end == at_) {
      last().memory.end = end;
    } else {
      Add({{at_, end}, Bytes{0}, flags_});
    }
    at_ = end;
  }

 private:
  bool has_one() const { return segments_->size() > first_; }
  CoreSegment& last() { return segments_->back(); }
  void Add(const CoreSegment& segment) { segments_->push_back(segment); }

  TargetAddress at_;
  const uint32_t flags_;
  const size_t first_;
  std::vector<CoreSegment>* const segments_;
};

}  // namespace

std::vector<CoreSegment> CutSegments(std::span<const SavedMapping> mappings,
                                     std::span<const RangeReason> lost) {
  std::vector<CoreSegment> segments;
  segments.reserve(mappings.size() + 2 * lost.size());
  auto next = lost.begin();
  for (const SavedMapping& saved : mappings) {
    MappingCutter cutter(saved.mapping, &segments);
    if (!saved.saved.empty()) cutter.LeftOut(saved.saved.begin);
    while (next != lost.end() && next->range.end <= saved.saved.begin) ++next;
    for (auto l = next; l != lost.end() && l->range.begin < saved.saved.end; ++l) {
      const AddressRange range = Intersect(l->range, saved.saved);
      cutter.Saved(range.begin);
      cutter.Lost(range.end);
    }
    if (!saved.saved.empty()) cutter.Saved(saved.saved.end);
    cutter.LeftOut(saved.mapping.range.end);
  }
  return segments;
}

}  // namespace stillframe
