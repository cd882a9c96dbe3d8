#include "report/html_memory_map.h"

#include <algorithm>

namespace stillframe {
namespace {

// Mappings that get cells of their own when there are too many; all between two of them share one.
constexpr size_t kOwnCells = HtmlMemoryMap::kMaxMappings / 2 - 1;

// Where the pages of a range are counted.
struct Slot {
  AddressRange range;
  size_t mapping;
  bool one_cell;  // it shares the only cell of its mapping with others
};

std::string Permissions(const Mapping& mapping) {
  return {mapping.readable ? 'r' : '-', mapping.writable ? 'w' : '-',
          mapping.executable ? 'x' : '-', mapping.shared ? 's' : 'p'};
}

// By index: which mappings stand alone. Those that are not saved have no cells.
std::vector<bool> ChooseOwn(const std::vector<SavedMapping>& mappings) {
  const auto saved =
      std::ranges::count_if(mappings, [](const SavedMapping& m) { return !m.saved.empty(); });
  if (static_cast<size_t>(saved) <= HtmlMemoryMap::kMaxMappings) {
    return std::vector<bool>(mappings.size(), true);
  }
  std::vector<size_t> by_size(mappings.size());
  for (size_t i = 0; i < by_size.size(); ++i) by_size[i] = i;
  std::ranges::stable_sort(by_size, std::greater{},
                           [&](size_t i) { return mappings[i].saved.size(); });
  std::vector<bool> own(mappings.size(), false);
  for (size_t i = 0; i < kOwnCells; ++i) own[by_size[i]] = true;
  return own;
}

// Lays the mappings out and tells where each range's pages go.
std::vector<Slot> LayOut(const std::vector<SavedMapping>& mappings, HtmlMemoryMap& map) {
  const std::vector<bool> own = ChooseOwn(mappings);
  std::vector<Slot> slots;
  for (size_t i = 0; i < mappings.size(); ++i) {
    const SavedMapping& saved = mappings[i];
    if (saved.saved.empty()) continue;
    if (!own[i] && !slots.empty() && slots.back().one_cell) {
      HtmlMemoryMap::Mapping& group = map.mappings.back();
      group.range.end = saved.saved.end;
      ++group.merged;
    } else {
      map.mappings.push_back({saved.saved, saved.mapping.name, Permissions(saved.mapping), 0, {}});
    }
    slots.push_back({saved.saved, map.mappings.size() - 1, !own[i]});
  }
  return slots;
}

// A power of two, so that cells begin at round addresses.
Pages ChooseCell(const std::vector<Slot>& slots) {
  for (Pages cell{1};; cell = cell * 2) {
    uint64_t cells = 0;
    for (const Slot& slot : slots) {
      if (!slot.one_cell) cells += slot.range.pages().count / cell.count;
    }
    if (cells <= HtmlMemoryMap::kMaxCells) return cell;
  }
}

void MakeCells(const std::vector<Slot>& slots, HtmlMemoryMap& map) {
  for (const Slot& slot : slots) {
    const uint64_t pages = slot.range.pages().count;
    const uint64_t cell = map.cell_pages.count;
    map.mappings[slot.mapping].cells.resize(slot.one_cell ? 1 : (pages + cell - 1) / cell);
  }
}

void Count(const Slot& slot, AddressRange part, HtmlPageKind kind, HtmlMemoryMap& map) {
  std::vector<HtmlMemoryMap::Cell>& cells = map.mappings[slot.mapping].cells;
  const auto index = static_cast<size_t>(kind);
  if (slot.one_cell) {
    cells[0][index] += part.pages().count;
    return;
  }
  const uint64_t cell = map.cell_pages.count;
  uint64_t first = ToPages(part.begin - slot.range.begin).count;
  const uint64_t last = ToPages(part.end - slot.range.begin).count;
  while (first < last) {
    const uint64_t next = std::min(last, (first / cell + 1) * cell);
    cells[first / cell][index] += next - first;
    first = next;
  }
}

}  // namespace

HtmlMemoryMap MakeHtmlMemoryMap(const std::vector<SavedMapping>& mappings,
                                const std::vector<HtmlPageRange>& ranges) {
  HtmlMemoryMap map;
  const std::vector<Slot> slots = LayOut(mappings, map);
  if (slots.empty()) return map;
  map.cell_pages = ChooseCell(slots);
  MakeCells(slots, map);
  for (const HtmlPageRange& range : ranges) {
    auto slot = std::ranges::upper_bound(slots, range.range.begin, {},
                                         [](const Slot& s) { return s.range.end; });
    for (; slot != slots.end() && slot->range.begin < range.range.end; ++slot) {
      Count(*slot, Intersect(slot->range, range.range), range.kind, map);
    }
  }
  return map;
}

}  // namespace stillframe
