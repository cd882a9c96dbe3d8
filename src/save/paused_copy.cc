#include "save/paused_copy.h"

#include <algorithm>
#include <utility>

#include "base/fail_point.h"

namespace stillframe {
namespace {

constexpr Bytes kReadAtOnce = MiB(1);

}  // namespace

Result<PausedCopies> PausedCopies::Take(const Target& target,
                                        std::span<const PlannedMapping> planned) {
  PausedCopies copies;
  for (const PlannedMapping& plan : planned) {
    if (plan.treatment != Treatment::kCopy) continue;
    if (!plan.mapping.shared) {
      STILLFRAME_TRY(copies.TakeRange(target, plan.saved));
      continue;
    }
    TargetAddress at = plan.saved.begin;
    Result<void> taken;
    const UniqueFd file = OpenMappedFile(target.pid(), plan.mapping);
    ForEachDataRange(file.get(), plan.mapping, [&](AddressRange data) {
      data = Intersect(data, plan.saved);
      if (data.empty() || !taken) return;
      if (at < data.begin) copies.zeros_.push_back({at, data.begin});
      taken = copies.TakeRange(target, data);
      at = data.end;
    });
    STILLFRAME_TRY(taken);
    if (at < plan.saved.end) copies.zeros_.push_back({at, plan.saved.end});
  }
  FailPoint("save.paused-copy");
  return copies;
}

Result<void> PausedCopies::TakeRange(const Target& target, AddressRange range) {
  Copy copy{.address = range.begin, .size = range.size(), .memory = MappedMemory(range.size())};
  for (Bytes done; done < range.size();) {
    const Bytes wanted = std::min(kReadAtOnce, range.size() - done);
    const iovec to{.iov_base = copy.memory.data() + done.count, .iov_len = wanted.count};
    const ReadOutcome read = target.Read(range.begin + done, {&to, 1});
    done += ToBytes(ToPages(read.copied));
    if (read.copied == wanted) continue;
    if (!target.IsAlive()) return target.CheckAlive();
    // This page can't be read: it stays zero.
    const TargetAddress page = range.begin + done;
    if (!unreadable_.empty() && unreadable_.back().end == page) {
      unreadable_.back().end = page + kPageSize;
    } else {
      unreadable_.push_back({page, page + kPageSize});
    }
    std::fill_n(copy.memory.data() + done.count, kPageSize.count, std::byte{0});
    done += kPageSize;
  }
  pages_ += range.pages();
  copies_.push_back(std::move(copy));
  return {};
}

PausedCopies::Piece PausedCopies::Next(Bytes limit) {
  if (next_copy_ == copies_.size()) return {};
  Copy& copy = copies_[next_copy_];
  const Bytes size = std::min(limit, copy.size - next_offset_);
  const Piece piece{copy.address + next_offset_,
                    {copy.memory.data() + next_offset_.count, size.count}};
  next_offset_ += size;
  if (next_offset_ == copy.size) {
    ++next_copy_;
    next_offset_ = Bytes{0};
  }
  return piece;
}

}  // namespace stillframe
