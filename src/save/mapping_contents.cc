#include "save/mapping_contents.h"

#include <algorithm>

#include "sys/mapped_file.h"
#include "sys/page_map_scanner.h"

namespace stillframe {
namespace {

using Source = Stretch::Source;

bool NeedsFile(const Mapping& mapping) {
  if (mapping.hugetlb) return !IsAnonymousHugetlb(mapping);
  return mapping.shared;
}

}  // namespace

void AppendRange(AddressRange range, std::vector<AddressRange>* ranges) {
  if (!ranges->empty() && ranges->back().end == range.begin) {
    ranges->back().end = range.end;
  } else {
    ranges->push_back(range);
  }
}

MappingContents::MappingContents(const StillMemory& memory, const PlannedMapping& planned)
    : memory_(memory), planned_(planned) {
  if (NeedsFile(planned.mapping)) file_ = OpenMappedFile(memory.pid, planned.mapping);
}

Result<void> MappingContents::ForEach(
    const std::function<Result<void>(const Stretch&)>& take) const {
  const Mapping& mapping = planned_.mapping;
  if (planned_.saved.empty()) return {};
  if (IsPrivateAnonymous(mapping) || IsAnonymousHugetlb(mapping)) {
    return ByPagemap(Source::kZero, take);
  }
  if (mapping.hugetlb) return ByPagemap(file_ ? Source::kFile : Source::kUnknown, take);
  if (mapping.shared) return ByFile(take);
  return take({planned_.saved, Source::kMemory});
}

Result<void> MappingContents::ByPagemap(
    Source holes, const std::function<Result<void>(const Stretch&)>& take) const {
  const PageMapScanner scanner(memory_.pagemap, {});
  TargetAddress at = planned_.saved.begin;
  Result<void> taken;
  AddressRange run{at, at};
  const auto give = [&] {
    if (taken && at < run.begin) taken = take({{at, run.begin}, holes});
    if (taken && !run.empty()) taken = take({run, Source::kMemory});
    at = run.end;
  };
  const Result<void> scanned = scanner.Scan(planned_.saved, [&](const FoundPages& found) {
    give();
    run = found.range;
  });
  STILLFRAME_TRY(taken);
  if (!scanned) {
    // Why it is gone is told better by whoever owns it.
    STILLFRAME_TRY(memory_.check_alive());
    return scanned;
  }
  give();
  if (taken && at < planned_.saved.end) taken = take({{at, planned_.saved.end}, holes});
  return taken;
}

Result<void> MappingContents::ByFile(
    const std::function<Result<void>(const Stretch&)>& take) const {
  TargetAddress at = planned_.saved.begin;
  Result<void> taken;
  ForEachDataRange(file_.get(), planned_.mapping, [&](AddressRange data) {
    data = Intersect(data, {at, planned_.saved.end});
    if (data.empty() || !taken) return;
    if (at < data.begin) taken = take({{at, data.begin}, Source::kZero});
    if (taken) taken = take({data, Source::kMemory});
    at = data.end;
  });
  if (taken && at < planned_.saved.end) taken = take({{at, planned_.saved.end}, Source::kZero});
  return taken;
}

Result<void> MappingContents::Read(const Stretch& stretch, TargetAddress at,
                                   std::span<std::byte> to,
                                   std::vector<AddressRange>* unreadable) const {
  const uint64_t in_file = planned_.mapping.file_offset;
  for (uint64_t done = 0; done < to.size();) {
    const iovec part{.iov_base = to.data() + done, .iov_len = to.size() - done};
    const TargetAddress from = at + Bytes{done};
    const ReadOutcome read =
        stretch.source == Source::kFile
            ? ReadMappedFile(file_.get(), in_file + (from - planned_.mapping.range.begin).count,
                             {&part, 1})
            : memory_.read(from, {&part, 1});
    done += ToBytes(ToPages(read.copied)).count;
    if (done >= to.size()) break;
    STILLFRAME_TRY(memory_.check_alive());
    std::fill_n(to.data() + done, kPageSize.count, std::byte{0});
    AppendRange({at + Bytes{done}, at + Bytes{done} + kPageSize}, unreadable);
    done += kPageSize.count;
  }
  return {};
}

}  // namespace stillframe
