#include "save/presence_audit.h"

#include <time.h>

#include <array>
#include <vector>

#include "sys/page_map_scanner.h"
#include "sys/pagemap.h"

namespace stillframe {
namespace {

// More than anybody will want to know of.
constexpr size_t kMostSuspects = 1 << 20;
// That are asked about at once.
constexpr size_t kMostHoles = 4096;
// An event that tells of a page is read by then.
constexpr timespec kUntilTold{.tv_sec = 0, .tv_nsec = 5'000'000};

struct Suspect {
  PageIndex page;
  TargetAddress address;
};

// Whether there is a page without a mark where the ledger has a hole that nobody opened.
bool IsUnseen(const Target& target, const TrackedMemory& memory, const Suspect& suspect) {
  const PageLedger& ledger = memory.ledger;
  if (ledger.opened_hole.Test(suspect.page) || ledger.discarded.Test(suspect.page) ||
      ledger.unmapped.Test(suspect.page)) {
    return false;
  }
  // Other pages may have been moved here.
  const auto lives = memory.map.AtAddress(suspect.address);
  if (!lives || lives->pages.first != suspect.page) return false;
  std::array<PagemapEntry, 1> entry;
  return ReadPagemap(target.pagemap(), suspect.address, entry) == 1 && entry[0].present() &&
         !entry[0].armed();
}

Result<void> FindSuspects(const Target& target, const TrackedMemory& memory, const Region& region,
                          std::vector<Suspect>* suspects) {
  const auto judge = [&](const FoundPages& found) {
    const PageIndex first = region.PagesIn(found.range).first;
    for (uint64_t i = 0; i < found.range.pages().count; ++i) {
      const Suspect suspect{first + Pages{i}, found.range.begin + kPageSize * i};
      if (suspects->size() < kMostSuspects && IsUnseen(target, memory, suspect)) {
        suspects->push_back(suspect);
      }
    }
  };
  const PageMapScanner scanner(target.pagemap(), {.marks = false});
  std::vector<AddressRange> holes;
  Result<void> result;
  const auto look = [&] {
    if (result) result = scanner.Scan(holes, PageMapScanner::Between::kAnything, judge);
    holes.clear();
  };
  ForEachSet(memory.arming.closed, region.run(), [&](PageRun closed) {
    ForEachClear(memory.ledger.present, closed, [&](PageRun clear) {
      holes.push_back(region.AddressesOf(clear));
      if (holes.size() == kMostHoles) look();
    });
  });
  look();
  return result;
}

}  // namespace

Result<Pages> NoteUnseenPages(const Target& target, TrackedMemory* memory) {
  std::vector<Suspect> suspects;
  for (const Region& region : memory->regions.regions()) {
    STILLFRAME_TRY(FindSuspects(target, *memory, region, &suspects));
  }
  if (suspects.empty()) return Pages{0};
  // Of a mapping that was just replaced the tracker may not have heard yet.
  nanosleep(&kUntilTold, nullptr);
  std::erase_if(suspects, [&](const Suspect& s) { return !IsUnseen(target, *memory, s); });
  for (const Suspect& suspect : suspects) {
    memory->ledger.present.SetRun({suspect.page, Pages{1}});
  }
  return Pages{suspects.size()};
}

}  // namespace stillframe
