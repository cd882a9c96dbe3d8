#include "save/armed_memory.h"

#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <iterator>

#include "base/fail_point.h"
#include "save/page_armer.h"
#include "save/region_numbers.h"
#include "sys/mapped_file.h"
#include "sys/page_map_scanner.h"

namespace stillframe {
namespace {

// Opening takes the mmap lock for reading only; in steps, so that a writer of it gets its turn.
constexpr Bytes kOpenStep = MiB(2);
constexpr int kOpenTries = 1000;
// In huge reserved ranges the steps grow, or the walk itself would take seconds.
constexpr uint64_t kMostSteps = 65536;
// Mappings to one call: each costs a microsecond with the lock held.
constexpr size_t kMostInGroup = 512;
// The last one goes mapping by mapping: something comes between all the time that can't be part of
// a group.
constexpr int kReleaseTries = 4;
constexpr AddressRange kEverything{{0}, {uint64_t{1} << 56}};

std::string Describe(const Mapping& mapping) {
  char text[64];
  std::snprintf(text, sizeof(text), "0x%" PRIx64 "-0x%" PRIx64, mapping.range.begin.value,
                mapping.range.end.value);
  return mapping.name.empty() ? std::string(text) : std::string(text) + " (" + mapping.name + ")";
}

// Page numbers for memory that comes between the registering and the instant. They cost addresses
// of ours only.
constexpr uint64_t kSpareShare = 4;  // of the numbers used at first
constexpr Pages kSpareAtLeast = ToPages(GiB(4));

// What may be known of a page before the instant.
constexpr PageBitmap PageLedger::*kLedgerBits[] = {&PageLedger::present, &PageLedger::claimed,
                                                   &PageLedger::proven, &PageLedger::settled};
constexpr PageBitmap ArmingLog::*kArmingBits[] = {
    &ArmingLog::opened, &ArmingLog::stale, &ArmingLog::foreign, &ArmingLog::closed,
    &ArmingLog::huge,   &ArmingLog::seen,  &ArmingLog::hot,     &ArmingLog::copied};

void CopyBits(const PageBitmap& from, PageRun run, PageIndex to, PageBitmap* into) {
  ForEachSet(from, run, [&](PageRun set) {
    into->SetRun({to + (set.first - run.first), set.count});
  });
}

// What is known of the addresses that both have as memory of one kind, where there are not enough
// page numbers left for them to keep theirs.
void CarryOver(const TrackedMemory& before, TrackedMemory* now) {
  auto old = before.regions.regions().begin();
  const auto end = before.regions.regions().end();
  for (const Region& region : now->regions.regions()) {
    while (old != end && old->range.end <= region.range.begin) ++old;
    for (auto it = old; it != end && it->range.begin < region.range.end; ++it) {
      if (!IsOneKind(*it, region)) continue;
      const AddressRange both = Intersect(it->range, region.range);
      const PageRun from = it->PagesIn(both);
      const PageIndex to = region.PagesIn(both).first;
      for (const auto bits : kLedgerBits) {
        CopyBits(before.ledger.*bits, from, to, &(now->ledger.*bits));
      }
      for (const auto bits : kArmingBits) {
        CopyBits(before.arming.*bits, from, to, &(now->arming.*bits));
      }
    }
  }
  // Never taken back: the tracker may have set them meanwhile.
  if (before.arming.any_stale.load()) now->arming.any_stale.store(true);
  if (before.arming.any_foreign.load()) now->arming.any_foreign.store(true);
}

// So that what is counted is of pages that somebody has.
void Forget(PageRun pages, TrackedMemory* memory) {
  for (PageBitmap* bits :
       {&memory->ledger.present, &memory->arming.opened, &memory->arming.stale}) {
    ForEachSet(*bits, pages, [bits](PageRun set) { bits->ClearRun(set); });
  }
}

}  // namespace

ArmedMemory::ArmedMemory(const Target& target, const FaultChannel& channel)
    : target_(target), channel_(channel), is_self_(target.pid() == getpid()) {}

Result<void> ArmedMemory::Register(std::vector<PlannedMapping>* plan) {
  for (PlannedMapping& planned : *plan) {
    if (planned.treatment != Treatment::kArm || !HoldFile(&planned)) continue;
    // Should it have gone since, and another one come: see ArmRange.
    const auto known = registered_.find(planned.mapping.range.begin);
    if (known != registered_.end() && known->second == planned.mapping.range.end) continue;
    STILLFRAME_TRY(RegisterOne(&planned));
  }
  return {};
}

Result<void> ArmedMemory::RegisterStretch(std::span<PlannedMapping> stretch, const PageWatch& watch,
                                          std::vector<AddressRange>* fresh) {
  for (PlannedMapping& planned : stretch) {
    if (!HoldFile(&planned)) continue;
    STILLFRAME_ASSIGN(const bool watched, watch.IsWatched(planned.mapping.range));
    if (watched) continue;
    STILLFRAME_TRY(RegisterOne(&planned));
    if (planned.treatment == Treatment::kArm) fresh->push_back(planned.mapping.range);
  }
  return {};
}

Result<void> ArmedMemory::RegisterAnew(std::vector<PlannedMapping>* plan) {
  registered_.clear();
  return Register(plan);
}

Result<std::vector<AddressRange>> ArmedMemory::RegisterUnwatched(std::vector<PlannedMapping>* plan,
                                                                 const PageWatch& watch) {
  std::vector<AddressRange> fresh;
  for (size_t first = 0; first < plan->size();) {
    const std::span stretch = std::span(*plan).subspan(first, EndOfStretch(*plan, first) - first);
    first += stretch.size();
    if (stretch.front().treatment != Treatment::kArm) continue;
    // Mostly all of it is, and one call tells.
    STILLFRAME_ASSIGN(const bool all,
                      watch.IsWatched({stretch.front().saved.begin, stretch.back().saved.end}));
    if (!all) STILLFRAME_TRY(RegisterStretch(stretch, watch, &fresh));
  }
  return fresh;
}

void ArmedMemory::LeaveRefused(std::vector<PlannedMapping>* plan) const {
  for (PlannedMapping& planned : *plan) {
    const auto refused = refused_.find(planned.mapping.range.begin);
    const bool same = refused != refused_.end() && refused->second == planned.mapping.range.end;
    if (same && planned.treatment == Treatment::kArm) {
      planned.treatment = Treatment::kCopy;
    }
  }
}

bool ArmedMemory::HoldFile(PlannedMapping* planned) {
  if (!planned->mapping.shared) return true;
  UniqueFd file = OpenMappedFile(target_.pid(), planned->mapping);
  if (!file) {
    // Without it nobody could tell a page from a hole that was punched.
    planned->treatment = Treatment::kCopy;
    return false;
  }
  files_[planned->mapping.range.begin] = std::move(file);
  return true;
}

Result<void> ArmedMemory::RegisterOne(PlannedMapping* planned) {
  const AddressRange range = planned->mapping.range;
  switch (channel_.Register(range)) {
    case RegisterOutcome::kDone:
      registered_[range.begin] = range.end;
      break;
    case RegisterOutcome::kRefused:
      refused_[range.begin] = range.end;
      planned->treatment = Treatment::kCopy;
      break;
    case RegisterOutcome::kGone:
      STILLFRAME_TRY(target_.CheckAlive());
      planned->treatment = Treatment::kCopy;
      break;
    case RegisterOutcome::kTaken:
      return Fail(ErrorCode::kUnsupported,
                  "process " + std::to_string(target_.pid()) + " has a userfaultfd of its own on " +
                      Describe(planned->mapping),
                  "another save of it may be under way, or the program tracks its memory itself");
  }
  return {};
}

std::vector<Region> ArmedMemory::RegionsOf(std::span<const PlannedMapping> plan) const {
  std::vector<Region> regions;
  for (const PlannedMapping& planned : plan) {
    if (planned.treatment != Treatment::kArm) continue;
    const auto file = files_.find(planned.mapping.range.begin);
    regions.push_back({.range = planned.mapping.range,
                       .first = {},
                       .page_size = planned.mapping.kernel_page_size,
                       .file = planned.mapping.shared ? file->second.get() : -1,
                       .file_offset = planned.mapping.file_offset,
                       .mergeable = planned.mapping.mergeable,
                       .mapping = planned.mapping.range});
  }
  return regions;
}

MappedPtr<TrackedMemory> ArmedMemory::MakeTracked(std::span<const PlannedMapping> plan) const {
  RegionSet regions(RegionsOf(plan));
  const Pages spare = std::max(kSpareAtLeast, regions.pages() / kSpareShare);
  return MakeMapped<TrackedMemory>(std::move(regions), spare);
}

MappedPtr<TrackedMemory> ArmedMemory::BringUpToDate(std::span<const PlannedMapping> plan,
                                                    MappedPtr<TrackedMemory>& before) const {
  std::vector<Region> mappings = RegionsOf(plan);
  auto numbers = RenumberRegions(mappings, before->regions, before->room());
  if (!numbers) {
    auto now = MakeTracked(plan);
    CarryOver(*before, now.get());
    return now;
  }
  if (std::ranges::equal(numbers->regions.regions(), before->regions.regions())) {
    return std::move(before);
  }
  auto now = MakeMapped<TrackedMemory>(std::move(numbers->regions), *before);
  for (const PageRun pages : numbers->retired) Forget(pages, now.get());
  if (now->arming.listed)
    std::ranges::copy(numbers->fresh, std::back_inserter(now->arming.unknown));
  return now;
}

void ArmedMemory::CatchUp(const TrackedMemory& before, TrackedMemory* now) {
  if (before.records != now->records) CarryOver(before, now);
}

Result<void> ArmedMemory::Arm(std::span<const PlannedMapping> plan, TrackedMemory* tracked) {
  // Arming leaves a mark at a hole of hugetlb that looks like a page, and to read it would take a
  // huge page out of the pool: so these are asked before.
  STILLFRAME_TRY(NotePresent(plan, true, tracked));
  PageArmer armer(target_, channel_, *tracked);
  for (const Region& region : tracked->regions.regions()) {
    STILLFRAME_TRY(ArmsWherePopulated(region) ? armer.ArmRest(region) : ArmRange(region));
  }
  // All others after: what a worker of the kernel populates from here on is no page of the instant,
  // and is not armed.
  STILLFRAME_TRY(NotePresent(plan, false, tracked));
  FailPoint("save.presence");
  return {};
}

Result<void> ArmedMemory::NotePresent(std::span<const PlannedMapping> plan, bool hugetlb,
                                      TrackedMemory* tracked) const {
  auto planned = plan.begin();
  for (const Region& region : tracked->regions.regions()) {
    // Both by address; every region is of a mapping that is planned to be armed.
    while (planned->mapping.range.end <= region.range.begin) ++planned;
    if (planned->mapping.hugetlb != hugetlb || ArmsWherePopulated(region)) continue;
    STILLFRAME_TRY(NotePresentIn(region, *planned, tracked));
  }
  return {};
}

bool ArmedMemory::ArmsWherePopulated(const Region& region) const {
  return region.page_size == kPageSize && !region.shared() && !is_self_;
}

Result<void> ArmedMemory::ArmRange(const Region& region) {
  Result<void> armed = channel_.Arm(region.range);
  if (armed || armed.error().code == ErrorCode::kTargetGone) return armed;
  // The mapping that was registered went, and one like it came to the same place.
  if (channel_.Register(region.mapping) == RegisterOutcome::kDone) {
    armed = channel_.Arm(region.range);
  }
  return armed;
}

Result<void> ArmedMemory::NotePresentIn(const Region& region, const PlannedMapping& planned,
                                        TrackedMemory* tracked) const {
  PageBitmap& present = tracked->ledger.present;
  if (region.shared()) {
    // A page of a file exists whether or not this process has it in its page tables.
    ForEachDataRange(region.file, planned.mapping,
                     [&](AddressRange data) { present.SetRun(region.PagesIn(data)); });
    return {};
  }
  const PageMapScanner scanner(target_.pagemap(), {.armed_only = !planned.mapping.hugetlb});
  return scanner.Scan(
      region.range, [&](const FoundPages& found) { present.SetRun(region.PagesIn(found.range)); });
}

void ArmedMemory::Release(const TrackedMemory* tracked) {
  std::map<TargetAddress, TargetAddress> ours = registered_;
  if (tracked != nullptr) {
    tracked->map.ForEachIn(kEverything, [&](const Segment& segment) {
      auto& end = ours[segment.begin];
      end = std::max(end, segment.range().end);
    });
  }
  const auto is_ours = [&ours](AddressRange range) {
    // A mapping may have grown beyond what was registered.
    const auto after = ours.lower_bound(range.end);
    return after != ours.begin() && std::prev(after)->second > range.begin;
  };
  const auto opened = target_.ReadMappings(false);
  if (!opened) return;  // gone, or out of descriptors: the close does it, less gently
  for (const Mapping& mapping : *opened) {
    if (is_ours(mapping.range)) OpenInSteps(mapping.range);
  }
  for (int i = 0; i < kReleaseTries; ++i) {
    // To open took a while: by old boundaries a mapping that grew or moved would be cut in two.
    const auto mappings = target_.ReadMappings(false);
    if (!mappings) return;
    if (UnregisterGroups(*mappings, is_ours, i + 1 < kReleaseTries ? kMostInGroup : 1)) break;
  }
  registered_.clear();
}

bool ArmedMemory::UnregisterGroups(std::span<const Mapping> mappings,
                                   const std::function<bool(AddressRange)>& is_ours,
                                   size_t most) const {
  bool all = true;
  for (size_t first = 0; first < mappings.size();) {
    size_t last = first;
    bool any = false;
    while (last < mappings.size() && last - first < most) {
      const Mapping& mapping = mappings[last];
      const bool mine = is_ours(mapping.range);
      // Private anonymous memory may stand between ours: no call over all of them is refused for
      // it.
      if (!mine && !IsPrivateAnonymous(mapping)) break;
      any = any || mine;
      ++last;
    }
    if (any && !UnregisterGroup(mappings, first, last)) all = false;
    first = std::max(last, first + 1);
  }
  return all;
}

void ArmedMemory::OpenInSteps(AddressRange range) const {
  const Bytes even = ToBytes(Pages{range.pages().count / kMostSteps});
  const uint64_t step =
      (std::max(kOpenStep, even).count + kOpenStep.count - 1) / kOpenStep.count * kOpenStep.count;
  for (TargetAddress at = range.begin; at < range.end;) {
    // Steps end at multiples of their size, so that none of them splits a huge page.
    const TargetAddress next = std::min(range.end, TargetAddress{(at.value / step + 1) * step});
    // Refused while an event is unread, which the tracker does soon.
    for (int i = 0; i < kOpenTries && channel_.Open({at, next}) == OpenOutcome::kChanging; ++i) {
      usleep(50);
    }
    at = next;
  }
}

bool ArmedMemory::UnregisterGroup(std::span<const Mapping> mappings, size_t first,
                                  size_t last) const {
  AddressRange range{mappings[first].range.begin, mappings[last - 1].range.end};
  if (first > 0) range.begin = mappings[first - 1].range.end;
  if (last < mappings.size()) range.end = mappings[last].range.begin;
  return channel_.Unregister(range);
}

}  // namespace stillframe
