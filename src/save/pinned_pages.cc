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

size_t CountRings(std::span<const Mapping> mappings) {
  return static_cast<size_t>(std::ranges::count(mappings, "anon_inode:[io_uring]", &Mapping::name));
}

}  // namespace

Result<void> PinnedMemory::Look(const Target& target, std::span<const Mapping> mappings) {
  STILLFRAME_ASSIGN(const UniqueFd directory, OpenProcess(target));
  STILLFRAME_ASSIGN(rings_, FindUrings(directory.get()));
  STILLFRAME_ASSIGN(buffers_, ReadUringBuffers(directory.get(), rings_));
  for (const AddressRange buffer : buffers_) size_ += buffer.size();
  ring_mappings_ = CountRings(mappings);
  // By its pid: whose descriptors they were is certain only while it is the same process.
  return target.CheckAlive();
}

Result<std::vector<AddressRange>> PinnedMemory::Find(const Target& target,
                                                     std::span<const Mapping> mappings) {
  const size_t mapped = CountRings(mappings);
  if (rings_.empty() && mapped == 0) return std::vector<AddressRange>();
  STILLFRAME_ASSIGN(const UniqueFd directory, OpenProcess(target));
  if (mapped > ring_mappings_) {
    STILLFRAME_ASSIGN(rings_, FindUrings(directory.get()));
  }
  if (rings_.empty()) {
    return Fail(ErrorCode::kUnsupported,
                "the target uses an io_uring whose descriptor it has closed: the memory registered "
                "with it is written without a fault and can't be found",
                "--via fork");
  }
  auto found = ReadUringBuffers(directory.get(), rings_);
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
