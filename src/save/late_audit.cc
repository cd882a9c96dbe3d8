#include "save/late_audit.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <vector>

#include "save/page_armer.h"
#include "sys/page_map_scanner.h"
#include "sys/pagemap.h"
#include "track/page_copy.h"

namespace stillframe {
namespace {

// An event that tells of a page is read by then, even if pages are being saved before it is.
constexpr timespec kMoment{.tv_sec = 0, .tv_nsec = 5'000'000};
constexpr int kMoments = 10;
// That are waited for at once.
constexpr size_t kMostDoubtful = 1 << 20;

class Auditor {
 public:
  // Both outlive it.
  Auditor(const Target& target, TrackedMemory& memory)
      : target_(target), memory_(memory), armed_(target.pagemap(), {.armed_only = true}) {}

  // Pages that were copied.
  Result<void> Look(PageRun copied) {
    while (!copied.empty()) {
      const auto at = memory_.map.AtPage(copied.first);
      // What is nowhere any more was unmapped after the instant, or moved over.
      const PageRun here{copied.first, at ? std::min(copied.count, at->pages.count) : Pages{1}};
      copied = {here.end(), copied.end() - here.end()};
      if (at) STILLFRAME_TRY(LookAt(here, at->begin));
    }
    return {};
  }
  // Returns how many were dropped.
  Pages Finish() {
    Resolve();
    return dropped_;
  }

 private:
  Result<void> LookAt(PageRun run, TargetAddress begin) {
    PageIndex next = run.first;
    STILLFRAME_TRY(armed_.Scan({begin, begin + ToBytes(run.count)}, [&](const FoundPages& armed) {
      const PageIndex first = run.first + ToPages(armed.range.begin - begin);
      Suspect({next, first - next});
      next = first + armed.range.pages();
    }));
    Suspect({next, run.end() - next});
    return {};
  }

  void Suspect(PageRun unarmed) {
    for (PageIndex page = unarmed.first; page < unarmed.end(); page = page + Pages{1}) {
      if (IsDoubtful(page)) doubtful_.push_back(page);
      if (doubtful_.size() == kMostDoubtful) Resolve();
    }
  }

  bool IsDoubtful(PageIndex page) const {
    const PageLedger& ledger = memory_.ledger;
    if (ledger.opened_saved.Test(page) || ledger.discarded.Test(page) ||
        ledger.unmapped.Test(page)) {
      return false;
    }
    const auto lives = memory_.map.AtPage(page);
    if (!lives) return false;
    std::array<PagemapEntry, 1> entry;
    const size_t known = ReadPagemap(target_.pagemap(), lives->begin, entry);
    // It may have moved just while it was asked about.
    const auto still = memory_.map.AtPage(page);
    if (!still || still->begin != lives->begin) return false;
    return known == 1 && (!IsProven(entry[0]) || entry[0].marker());
  }

  void Resolve() {
    // Of a mapping that was just replaced the tracker may not have heard yet.
    for (int i = 0; i < kMoments && !doubtful_.empty(); ++i) {
      nanosleep(&kMoment, nullptr);
      std::erase_if(doubtful_, [this](PageIndex page) { return !IsDoubtful(page); });
    }
    for (const PageIndex page : doubtful_) memory_.ledger.proven.Clear(page);
    dropped_ += Pages{doubtful_.size()};
    doubtful_.clear();
  }

  const Target& target_;
  TrackedMemory& memory_;
  const PageMapScanner armed_;
  std::vector<PageIndex> doubtful_;
  Pages dropped_;
};

}  // namespace

Result<Pages> DropDoubtfulCopies(const Target& target, TrackedMemory* memory) {
  Auditor auditor(target, *memory);
  Result<void> result;
  for (const Region& region : memory->regions.regions()) {
    if (!CanBeArmedEarly(region)) continue;
    ForEachSet(memory->arming.copied, region.run(), [&](PageRun copied) {
      if (result) result = auditor.Look(copied);
    });
    STILLFRAME_TRY(result);
  }
  return auditor.Finish();
}

}  // namespace stillframe
