#include "save/paused_copy.h"

#include <algorithm>
#include <utility>

#include "base/fail_point.h"

namespace stillframe {
namespace {

constexpr Bytes kReadAtOnce = MiB(1);
// New memory inside the pause comes in pieces of this, so that many small mappings don't cost a
// call each. Addresses only: pages are taken as they are written.
constexpr Bytes kChunk = MiB(8);

bool IsData(const Stretch& stretch) {
  return stretch.source == Stretch::Source::kMemory || stretch.source == Stretch::Source::kFile;
}

}  // namespace

Result<Bytes> BytesToCopy(const StillMemory& memory, std::span<const PlannedMapping> planned) {
  Bytes size;
  for (const PlannedMapping& plan : planned) {
    if (plan.treatment != Treatment::kCopy) continue;
    STILLFRAME_TRY(MappingContents(memory, plan).ForEach([&](const Stretch& stretch) {
      if (IsData(stretch)) size += stretch.range.size();
      return Result<void>{};
    }));
  }
  return size;
}

Result<void> PausedCopies::Reserve(const StillMemory& memory,
                                   std::span<const PlannedMapping> planned, Bytes available,
                                   Bytes more) {
  budget_ = MemoryBudget(available);
  STILLFRAME_ASSIGN(Bytes size, BytesToCopy(memory, planned));
  // No copy may end in the middle of a page, so no chunk may.
  size += ToBytes(ToPages(more + kPageSize - Bytes{1}));
  if (size.count == 0) return {};
  STILLFRAME_TRY(budget_.Take(size));
  STILLFRAME_ASSIGN(MappedMemory chunk, MapMemory(size));
  chunk.Populate();
  chunks_.push_back(std::move(chunk));
  reserved_ = size;
  used_ = Bytes{0};
  return {};
}

Result<void> PausedCopies::ReadAhead(const StillMemory& memory,
                                     std::span<const PlannedMapping> planned, Bytes most,
                                     const std::function<Result<void>()>& check) {
  std::vector<std::byte> thrown_away(kReadAtOnce.count);
  for (const PlannedMapping& plan : planned) {
    const Mapping& mapping = plan.mapping;
    // Never huge pages: they are on no disk, and one that is read is one taken out of the pool.
    if (plan.treatment != Treatment::kCopy || !mapping.has_file() || mapping.shared ||
        mapping.hugetlb) {
      continue;
    }
    const auto read = [&](const Stretch& stretch) -> Result<void> {
      if (!IsData(stretch)) return {};
      const TargetAddress end = stretch.range.begin + std::min(stretch.range.size(), most);
      most = most - (end - stretch.range.begin);
      return ReadOnce(memory, {stretch.range.begin, end}, thrown_away, check);
    };
    STILLFRAME_TRY(MappingContents(memory, plan).ForEach(read));
  }
  return {};
}

Result<void> PausedCopies::Take(const StillMemory& memory, std::span<const PlannedMapping> planned,
                                const std::function<bool()>& cancelled) {
  for (const PlannedMapping& plan : planned) {
    if (plan.treatment != Treatment::kCopy) continue;
    const MappingContents contents(memory, plan);
    STILLFRAME_TRY(contents.ForEach(
        [&](const Stretch& stretch) { return TakeStretch(contents, stretch, cancelled); }));
  }
  FailPoint("save.paused-copy");
  // Whatever was read may be another process's otherwise.
  return memory.check_alive();
}

Result<void> PausedCopies::TakePages(const StillMemory& memory, AddressRange range,
                                     const std::function<bool()>& cancelled) {
  PlannedMapping plan;
  plan.mapping.range = plan.saved = range;
  return TakeStretch(MappingContents(memory, plan), {range, Stretch::Source::kMemory}, cancelled);
}

Result<void> PausedCopies::TakeStretch(const MappingContents& contents, const Stretch& stretch,
                                       const std::function<bool()>& cancelled) {
  if (!IsData(stretch)) {
    AppendRange(stretch.range, &zeros_);
    if (stretch.source == Stretch::Source::kUnknown) AppendRange(stretch.range, &unreadable_);
    return {};
  }
  for (TargetAddress at = stretch.range.begin; at < stretch.range.end;) {
    STILLFRAME_ASSIGN(const std::span<std::byte> room, Room(stretch.range.end - at));
    for (size_t done = 0; done < room.size();) {
      if (cancelled && cancelled()) return Fail(ErrorCode::kInterrupted, "interrupted");
      const size_t size = std::min<size_t>(kReadAtOnce.count, room.size() - done);
      STILLFRAME_TRY(
          contents.Read(stretch, at + Bytes{done}, room.subspan(done, size), &unreadable_));
      done += size;
    }
    copies_.push_back({at, room});
    pages_ += ToPages(Bytes{room.size()});
    at = at + Bytes{room.size()};
  }
  return {};
}

Result<std::span<std::byte>> PausedCopies::Room(Bytes wanted) {
  if (chunks_.empty() || used_ == chunks_.back().size()) {
    const Bytes size = std::max(wanted, ToBytes(ToPages(std::min(kChunk, budget_.left()))));
    STILLFRAME_TRY(budget_.Take(size));
    STILLFRAME_ASSIGN(MappedMemory chunk, MapMemory(size));
    chunks_.push_back(std::move(chunk));
    used_ = Bytes{0};
  }
  const MappedMemory& chunk = chunks_.back();
  const Bytes size = std::min(wanted, chunk.size() - used_);
  const std::span<std::byte> room(chunk.data() + used_.count, size.count);
  used_ += size;
  return room;
}

std::optional<TargetAddress> PausedCopies::next() const {
  if (next_copy_ == copies_.size()) return std::nullopt;
  return copies_[next_copy_].address + next_offset_;
}

PausedCopies::Piece PausedCopies::Next(Bytes limit) {
  if (next_copy_ == copies_.size()) return {};
  const Copy& copy = copies_[next_copy_];
  const Bytes size = std::min(limit, Bytes{copy.memory.size()} - next_offset_);
  const Piece piece{copy.address + next_offset_,
                    copy.memory.subspan(next_offset_.count, size.count)};
  next_offset_ += size;
  if (next_offset_.count == copy.memory.size()) {
    ++next_copy_;
    next_offset_ = Bytes{0};
  }
  return piece;
}

}  // namespace stillframe
