#include "save/pinned_pages.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"
#include "sys/proc_file.h"
#include "sys/uring_buffers.h"

namespace stillframe {
namespace {

// Whole huge pages: each is saved as one.
PageRun PagesOf(const Region& region, AddressRange range) {
  const uint64_t mask = region.page_size.count - 1;
  const TargetAddress begin{range.begin.value & ~mask};
  const TargetAddress end{(range.end.value + mask) & ~mask};
  return {region.first + ToPages(begin - region.range.begin), ToPages(end - begin)};
}

// Registered twice, a page is still saved once.
void Settle(PageRun pages, TrackedMemory* tracked, std::vector<AddressRange>* taken) {
  PageLedger& ledger = tracked->ledger;
  for (PageRun left = pages; !left.empty();) {
    const PageRun present = ledger.present.NextSet(left);
    const PageRun free = ledger.claimed.NextClear(present);
    if (!free.empty()) {
      ledger.claimed.SetRun(free);
      ledger.proven.SetRun(free);
      ledger.settled.SetRun(free);
      const TargetAddress begin = tracked->regions.AddressOf(free.first);
      taken->push_back({begin, begin + ToBytes(free.count)});
    }
    const PageIndex next = free.empty() ? present.end() : free.end();
    left = {next, left.end() - next};
  }
}

Result<UniqueFd> OpenProcess(const Target& target) {
  const ProcPath path("/proc/", target.pid(), "");
  UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory) return directory;
  return FailErrno(errno, "opening the target's directory in /proc");
}

}  // namespace

Result<PinnedMemory> PinnedMemory::Look(const Target& target) {
  STILLFRAME_ASSIGN(const UniqueFd directory, OpenProcess(target));
  PinnedMemory pinned;
  pinned.holds_ring_ = HoldsUring(directory.get());
  return pinned;
}

Result<std::vector<AddressRange>> PinnedMemory::Find(const Target& target,
                                                     std::span<const Mapping> mappings) const {
  const bool maps_ring = std::ranges::any_of(
      mappings, [](const Mapping& mapping) { return mapping.name == "anon_inode:[io_uring]"; });
  if (!holds_ring_ && !maps_ring) return std::vector<AddressRange>();
  STILLFRAME_ASSIGN(const UniqueFd directory, OpenProcess(target));
  auto found = ReadUringBuffers(directory.get());
  // By its pid: whose descriptors they were is certain only while it is the same process.
  STILLFRAME_TRY(target.CheckAlive());
  return found;
}

std::vector<AddressRange> SettlePinned(std::span<const AddressRange> memory,
                                       TrackedMemory* tracked) {
  std::vector<AddressRange> taken;
  const std::span<const Region> regions = tracked->regions.regions();
  for (const AddressRange pinned : memory) {
    auto region = std::ranges::partition_point(
        regions, [&](const Region& r) { return r.range.end <= pinned.begin; });
    for (; region != regions.end() && region->range.begin < pinned.end; ++region) {
      Settle(PagesOf(*region, Intersect(pinned, region->range)), tracked, &taken);
    }
  }
  return taken;
}

}  // namespace stillframe
