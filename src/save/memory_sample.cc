#include "save/memory_sample.h"

#include <algorithm>
#include <array>

#include "image/zero_scan.h"
#include "sys/page_map_scanner.h"

namespace stillframe {
namespace {

constexpr uint64_t kAlignment = MiB(2).count;

Bytes WeightOf(const PlannedMapping& planned) {
  if (planned.treatment != Treatment::kArm || !IsPrivateAnonymous(planned.mapping)) return {};
  return std::min(planned.mapping.resident + planned.mapping.swapped, planned.saved.size());
}

AddressRange SliceAt(const PlannedMapping& planned, double share) {
  const AddressRange all = planned.saved;
  const auto offset =
      static_cast<uint64_t>(share * static_cast<double>(all.size().count)) & ~(kPageSize.count - 1);
  const uint64_t aligned = (all.begin.value + offset) & ~(kAlignment - 1);
  const TargetAddress begin = std::max(all.begin, TargetAddress{aligned});
  return {begin, std::min(all.end, TargetAddress{aligned} + MemorySample::kSlice)};
}

}  // namespace

MemorySample::MemorySample(std::span<const PlannedMapping> plan) {
  Bytes total;
  for (const PlannedMapping& planned : plan) total += WeightOf(planned);
  const Bytes step = std::max(kSlice, total / kSlices);
  Bytes before;
  Bytes next = step / 2;
  for (const PlannedMapping& planned : plan) {
    const Bytes weight = WeightOf(planned);
    bool chosen = false;
    for (; weight.count > 0 && next < before + weight; next += step) {
      const AddressRange slice = SliceAt(
          planned, static_cast<double>((next - before).count) / static_cast<double>(weight.count));
      if (!slices_.empty() && slices_.back().range.Overlaps(slice)) continue;
      slices_.push_back({.range = slice});
      chosen = true;
    }
    if (chosen) mappings_.push_back(planned);
    before += weight;
  }
}

Result<void> MemorySample::NotePresent(int pagemap) {
  const PageMapScanner scanner(pagemap, {});
  present_ = Pages{0};
  for (Slice& slice : slices_) {
    slice.present.assign(slice.range.pages().count, false);
    STILLFRAME_TRY(scanner.Scan(slice.range, [&](const FoundPages& run) {
      const uint64_t first = ToPages(run.range.begin - slice.range.begin).count;
      for (uint64_t i = 0; i < run.range.pages().count; ++i) slice.present[first + i] = true;
      present_ += run.range.pages();
    }));
  }
  return {};
}

Result<void> MemorySample::Arm(int pagemap, const FaultChannel& channel) {
  STILLFRAME_TRY(NotePresent(pagemap));
  for (const Slice& slice : slices_) STILLFRAME_TRY(channel.Arm(slice.range));
  return {};
}

Result<Pages> MemorySample::CountWritten(int pagemap) const {
  // Arming may have left marks at holes too, which is why the noted pages are asked for.
  const PageMapScanner scanner(pagemap, {.armed_only = true});
  Pages written = present_;
  for (const Slice& slice : slices_) {
    STILLFRAME_TRY(scanner.Scan(slice.range, [&](const FoundPages& run) {
      const uint64_t first = ToPages(run.range.begin - slice.range.begin).count;
      for (uint64_t i = 0; i < run.range.pages().count; ++i) {
        if (slice.present[first + i]) written -= Pages{1};
      }
    }));
  }
  return written;
}

MemorySample::Contents MemorySample::Read(const StillMemory& memory, Pages limit) const {
  constexpr size_t kRun = 64;  // pages
  std::vector<std::byte> buffer(kRun * kPageSize.count);
  Contents contents;
  const Pages each{std::max<uint64_t>(kRun, limit.count / std::max<size_t>(1, slices_.size()))};
  for (const Slice& slice : slices_) {
    Pages here;
    for (size_t i = 0; i < slice.present.size() && here < each;) {
      size_t end = i;
      while (end < slice.present.size() && end - i < kRun && slice.present[end]) ++end;
      if (end == i) {
        ++i;
        continue;
      }
      const iovec to{.iov_base = buffer.data(), .iov_len = (end - i) * kPageSize.count};
      const Pages got =
          ToPages(memory.read(slice.range.begin + ToBytes(Pages{i}), {&to, 1}).copied);
      for (uint64_t page = 0; page < got.count; ++page) {
        if (IsZeroPage(&buffer[page * kPageSize.count])) contents.zero += Pages{1};
      }
      contents.pages += got;
      here += got;
      i = end;
    }
  }
  return contents;
}

}  // namespace stillframe
