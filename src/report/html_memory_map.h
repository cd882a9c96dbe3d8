// How each part of the memory was saved, in cells few enough to draw.
#ifndef STILLFRAME_REPORT_HTML_MEMORY_MAP_H_
#define STILLFRAME_REPORT_HTML_MEMORY_MAP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

enum class HtmlPageKind : uint8_t { kZero, kScanned, kFaulted, kPaused, kLost };
inline constexpr size_t kHtmlPageKinds = 5;

struct HtmlPageRange {
  AddressRange range;
  HtmlPageKind kind = HtmlPageKind::kZero;
};

struct HtmlMemoryMap {
  static constexpr size_t kMaxCells = 4096;     // beside at most one more for each mapping
  static constexpr size_t kMaxMappings = 1024;  // neighbours are put together beyond

  // Pages by kind, indexed by HtmlPageKind.
  using Cell = std::array<uint64_t, kHtmlPageKinds>;
  struct Mapping {
    AddressRange range;
    std::string name;         // raw bytes of the target; empty: anonymous
    std::string permissions;  // "rw-p"
    uint64_t merged = 0;      // how many more mappings are in it
    std::vector<Cell> cells;  // of cell_pages each, from range.begin on; the last may be shorter
  };

  Pages cell_pages{0};  // zero: nothing was recorded
  std::vector<Mapping> mappings;
  Pages unknown{0};  // pages that were saved, but not recorded how: too many ranges

  // What a kind is called, where it is not how a save got the page, and what that means: "changed",
  // "in both, with other bytes".
  struct KindName {
    std::string name;
    std::string meaning;
  };
  // By HtmlPageKind, whose colours they have; empty: those of a save. Mappings that have pages of
  // the first kind only are put together at the end.
  std::vector<KindName> kinds = {};
  std::string unremarkable = {};  // what such a mapping is: "mapping of zeros only"

  bool empty() const { return mappings.empty(); }
};

// `mappings`: by address, as ImageMetadata has them; `ranges` in any order, not overlapping. What
// lies in no mapping is left out.
HtmlMemoryMap MakeHtmlMemoryMap(const std::vector<SavedMapping>& mappings,
                                const std::vector<HtmlPageRange>& ranges);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_HTML_MEMORY_MAP_H_
