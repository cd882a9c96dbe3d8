#include "save/save_account.h"

#include <string_view>

namespace stillframe {
namespace {

// Why a page that was present is not proven.
std::string_view ReasonOf(const PageLedger& ledger, const Region& region, PageIndex page) {
  if (ledger.unmapped.Test(page)) return "unmapped";
  if (ledger.discarded.Test(page)) return "discarded";
  // Of shared memory, a hole was punched into the file, or the file cut off.
  if (region.shared()) return "discarded";
  // It is there without its mark, and no call of the target took it. A copy un-merges a page of
  // KSM, so that can't be asked any more.
  return region.mergeable ? "ksm" : "unmarked";
}

class Accountant {
 public:
  Accountant(const TrackedMemory& tracked, PageSink* sink) : tracked_(tracked), sink_(sink) {}

  Result<void> Region(const Region& region) {
    const PageLedger& ledger = tracked_.ledger;
    PageRun left = region.run();
    while (!left.empty()) {
      // Whole stretches of holes, then each stretch of what was there.
      const PageRun present = ledger.present.NextSet(left);
      if (present.first != left.first) {
        STILLFRAME_TRY(sink_->Zero(region.AddressesOf({left.first, present.first - left.first})));
      }
      STILLFRAME_TRY(Present(region, present));
      left = {present.end(), left.end() - present.end()};
    }
    return {};
  }

  std::vector<RangeReason> TakeLost() { return std::move(lost_); }

 private:
  Result<void> Present(const stillframe::Region& region, PageRun present) {
    PageRun left = present;
    while (!left.empty()) {
      const PageRun unproven = tracked_.ledger.proven.NextClear(left);
      for (PageIndex page = unproven.first; page < unproven.end(); page = page + Pages{1}) {
        STILLFRAME_TRY(
            Lose(region.AddressesOf({page, Pages{1}}), ReasonOf(tracked_.ledger, region, page)));
      }
      left = {unproven.end(), left.end() - unproven.end()};
    }
    return {};
  }

  Result<void> Lose(AddressRange range, std::string_view reason) {
    STILLFRAME_TRY(sink_->Lost(range, reason));
    if (!lost_.empty() && lost_.back().range.end == range.begin && lost_.back().reason == reason) {
      lost_.back().range.end = range.end;
    } else {
      lost_.push_back({range, std::string(reason)});
    }
    return {};
  }

  const TrackedMemory& tracked_;
  PageSink* const sink_;
  std::vector<RangeReason> lost_;
};

}  // namespace

Result<std::vector<RangeReason>> AccountForRest(const TrackedMemory& tracked,
                                                const PausedCopies& copies, PageSink* sink) {
  for (const AddressRange range : copies.zeros()) STILLFRAME_TRY(sink->Zero(range));
  Accountant accountant(tracked, sink);
  for (const Region& region : tracked.regions.regions()) {
    STILLFRAME_TRY(accountant.Region(region));
  }
  return accountant.TakeLost();
}

std::vector<SavedMapping> SavedMappings(std::span<const PlannedMapping> plan) {
  std::vector<SavedMapping> mappings;
  mappings.reserve(plan.size());
  for (const PlannedMapping& planned : plan) {
    const TargetAddress begin = planned.mapping.range.begin;
    const bool left_out = planned.treatment == Treatment::kSkip;
    mappings.push_back({planned.mapping, left_out ? AddressRange{begin, begin} : planned.saved});
  }
  return mappings;
}

std::vector<RangeReason> SkippedRanges(std::span<const PlannedMapping> plan,
                                       std::span<const AddressRange> unreadable) {
  std::vector<RangeReason> skipped;
  for (const PlannedMapping& planned : plan) {
    if (planned.reason.empty()) continue;
    skipped.push_back({planned.mapping.range, planned.reason});
  }
  for (const AddressRange range : unreadable) skipped.push_back({range, "unreadable"});
  return skipped;
}

bool SkippedMuch(std::span<const PlannedMapping> plan) {
  Bytes resident;
  Bytes left_out;
  for (const PlannedMapping& planned : plan) {
    const Mapping& mapping = planned.mapping;
    resident += mapping.resident;
    const bool from_file = mapping.has_file() && !mapping.shared && !mapping.hugetlb;
    if (planned.treatment == Treatment::kSkip) {
      left_out += from_file ? mapping.anonymous : mapping.resident;
    }
  }
  return left_out > resident / 10;
}

}  // namespace stillframe
