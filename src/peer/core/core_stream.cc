#include "peer/core/core_stream.h"

#include <algorithm>
#include <array>
#include <utility>

#include "image/coverage.h"
#include "image/zero_scan.h"
#include "peer/core/core_notes.h"
#include "peer/core/elf_headers.h"
#include "peer/core/page_range.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr uint64_t kGatherBytes = KiB(256).count;
constexpr std::array<std::byte, kGatherBytes> kZeros{};

uint64_t RoundUpToPage(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

std::vector<AddressRange> Joined(std::span<const RangeReason> ranges) {
  std::vector<AddressRange> all;
  for (const RangeReason& range : ranges) all.push_back(range.range);
  std::ranges::sort(all, {}, &AddressRange::begin);
  std::vector<AddressRange> joined;
  for (const AddressRange range : all) {
    if (range.empty()) continue;
    if (joined.empty() || joined.back().end < range.begin) {
      joined.push_back(range);
    } else {
      joined.back().end = std::max(joined.back().end, range.end);
    }
  }
  return joined;
}

template <class T>
void AppendTo(std::vector<std::byte>* bytes, std::span<const T> headers) {
  const auto added = std::as_bytes(headers);
  bytes->insert(bytes->end(), added.begin(), added.end());
}

}  // namespace

CoreStream::CoreStream(std::unique_ptr<Store> store, std::vector<RangeReason> lost)
    : store_(std::move(store)), announced_(std::move(lost)), lost_(Joined(announced_)) {
  gathered_.reserve(kGatherBytes);
}

Result<void> CoreStream::Check(TargetAddress address, uint64_t bytes) const {
  if (failed_) return tl::unexpected(*failed_);
  if (finished_) return Fail(ErrorCode::kInternal, "the core is finished already");
  return CheckPageRange(address, bytes);
}

Result<void> CoreStream::Keep(Result<void> result) {
  if (!result) failed_ = result.error();
  return result;
}

Result<void> CoreStream::Expect(const ImageMetadata& metadata, Expectation expectation) {
  STILLFRAME_TRY(Check({}, 0));
  // Nothing is let out before the headers are certain.
  if (expectation == Expectation::kSoFar) return {};
  return Keep(SendHeaders(metadata));
}

Result<void> CoreStream::SendHeaders(const ImageMetadata& metadata) {
  if (layout_) return Fail(ErrorCode::kInternal, "writing the core: it is settled already");
  if (const auto wrong = CheckMappings(metadata.mappings)) {
    return Fail(ErrorCode::kInternal, "writing the core: " + *wrong);
  }
  STILLFRAME_ASSIGN(const std::vector<std::byte> notes, EncodeCoreNotes(metadata, announced_));
  std::vector<RangeReason> lost;
  for (const AddressRange range : lost_) lost.push_back({.range = range, .reason = {}});
  const std::vector<CoreSegment> segments = CutSegments(metadata.mappings, lost);
  const uint64_t count = ProgramHeaderCount(segments.size());
  const bool counted_by_section = NeedsSectionHeader(count);
  CoreParts parts;
  parts.section_header = parts.program_headers + ProgramHeaderBytes(count);
  parts.notes = parts.section_header + (counted_by_section ? sizeof(Elf64_Shdr) : 0);
  parts.notes_size = Bytes{notes.size()};
  parts.contents = RoundUpToPage(parts.notes + notes.size());

  layout_.emplace(parts.contents);
  STILLFRAME_TRY(layout_->Expect(metadata.mappings, Expectation::kSettled));
  if (!layout_->places().empty()) next_ = layout_->places().front().addresses.begin;
  const std::vector<Elf64_Phdr> headers =
      CoreProgramHeaders(parts, segments, [this](TargetAddress address) {
        return layout_->Find({address, address + kPageSize})->offset;
      });
  const Elf64_Ehdr header = CoreElfHeader(parts, count);
  const Elf64_Shdr counter = CountingSectionHeader(count);
  std::vector<std::byte> bytes;
  AppendTo<Elf64_Ehdr>(&bytes, {&header, 1});
  AppendTo<Elf64_Phdr>(&bytes, headers);
  if (counted_by_section) AppendTo<Elf64_Shdr>(&bytes, {&counter, 1});
  STILLFRAME_TRY(Append(bytes));
  STILLFRAME_TRY(Append(notes));
  STILLFRAME_TRY(AppendZeros(parts.contents - parts.notes - notes.size()));
  return Flush();
}

Result<void> CoreStream::Take(AddressRange range) {
  if (!layout_) {
    return Fail(ErrorCode::kInternal, "writing the core: pages came before it was told where from");
  }
  const std::span<const FilePlace> places = layout_->places();
  if (place_ == places.size() || range.begin < next_) {
    return Fail(ErrorCode::kInternal,
                "writing the core: the page at " + Hex(range.begin.value) +
                    " comes too late, or belongs to no saved mapping",
                "a core in a file takes pages in any order");
  }
  const FilePlace& place = places[place_];
  if (range.begin != next_) {
    return Fail(ErrorCode::kInternal,
                "writing the core: the page at " + Hex(next_.value) + " is missing");
  }
  if (place.addresses.end < range.end) {
    return Fail(ErrorCode::kInternal, "writing the core: the page at " +
                                          Hex(place.addresses.end.value) +
                                          " belongs to no saved mapping");
  }
  next_ = range.end;
  if (next_ == place.addresses.end && ++place_ < places.size()) {
    next_ = places[place_].addresses.begin;
  }
  return {};
}

Result<void> CoreStream::CheckLost(AddressRange range, bool lost) const {
  const auto found = std::partition_point(
      lost_.begin(), lost_.end(), [&](AddressRange other) { return other.end <= range.begin; });
  const bool any = found != lost_.end() && found->Overlaps(range);
  if (lost && (!any || !found->Contains(range))) {
    return Fail(ErrorCode::kInternal,
                "writing the core: pages at " + Hex(range.begin.value) +
                    " were lost, and what has gone out already says that they are there",
                "write it to a file: there the headers come last");
  }
  if (!lost && any) {
    return Fail(ErrorCode::kInternal, "writing the core: pages at " + Hex(range.begin.value) +
                                          " came that were said to be lost");
  }
  return {};
}

Result<void> CoreStream::Write(TargetAddress address, std::span<const std::byte> pages,
                               PageSource source) {
  STILLFRAME_TRY(Check(address, pages.size()));
  if (pages.empty()) return {};
  const AddressRange range{address, address + Bytes{pages.size()}};
  STILLFRAME_TRY(Keep(CheckLost(range, false)));
  STILLFRAME_TRY(Keep(Take(range)));
  STILLFRAME_TRY(Keep(Append(pages)));
  uint64_t zeros = 0;
  for (size_t at = 0; at < pages.size(); at += kPage) zeros += IsZeroPage(pages.data() + at);
  counts_.AddZero(zeros);
  counts_.AddData(source, pages.size() / kPage - zeros);
  return {};
}

Result<void> CoreStream::Zero(AddressRange range) {
  if (range.empty()) return {};
  STILLFRAME_TRY(Check(range.begin, range.size().count));
  STILLFRAME_TRY(Keep(CheckLost(range, false)));
  STILLFRAME_TRY(Keep(Take(range)));
  STILLFRAME_TRY(Keep(AppendZeros(range.size().count)));
  counts_.AddZero(range.pages().count);
  return {};
}

Result<void> CoreStream::Lost(AddressRange range, std::string_view reason) {
  static_cast<void>(reason);  // it was announced with one
  if (range.empty()) return {};
  STILLFRAME_TRY(Check(range.begin, range.size().count));
  STILLFRAME_TRY(Keep(CheckLost(range, true)));
  STILLFRAME_TRY(Keep(Take(range)));
  STILLFRAME_TRY(Keep(AppendZeros(range.size().count)));
  counts_.AddLost(range.pages().count);
  return {};
}

Result<void> CoreStream::Finish(const ImageMetadata& metadata) {
  STILLFRAME_TRY(Check({}, 0));
  finished_ = true;
  return Keep(Complete(metadata));
}

Result<void> CoreStream::Complete(const ImageMetadata& metadata) {
  if (!layout_) STILLFRAME_TRY(SendHeaders(metadata));
  if (!layout_->Holds(metadata.mappings)) {
    return Fail(ErrorCode::kInternal, "completing the core: the mappings are not as expected");
  }
  if (place_ < layout_->places().size()) {
    return Fail(ErrorCode::kInternal,
                "completing the core: the page at " + Hex(next_.value) + " is missing");
  }
  STILLFRAME_TRY(Flush());
  return store_->Publish();
}

Result<void> CoreStream::Append(std::span<const std::byte> bytes) {
  appended_.fetch_add(bytes.size(), std::memory_order_relaxed);
  // What would not gain by being gathered goes out as it is, behind what was gathered before it.
  const bool large = bytes.size() > kGatherBytes / 2;
  if (large || gathered_.size() + bytes.size() > kGatherBytes) STILLFRAME_TRY(Flush());
  if (large) return Send(bytes);
  gathered_.insert(gathered_.end(), bytes.begin(), bytes.end());
  return {};
}

Result<void> CoreStream::AppendZeros(uint64_t bytes) {
  while (bytes > 0) {
    const uint64_t piece = std::min<uint64_t>(bytes, kZeros.size());
    STILLFRAME_TRY(Append(std::span(kZeros).first(piece)));
    bytes -= piece;
  }
  return {};
}

Result<void> CoreStream::Flush() {
  if (gathered_.empty()) return {};
  STILLFRAME_TRY(Send(gathered_));
  gathered_.clear();
  return {};
}

Result<void> CoreStream::Send(std::span<const std::byte> bytes) {
  return pacing_.InPieces(bytes.size(), [&](uint64_t at, uint64_t size) {
    // writev only reads, but iovec knows no const.
    const iovec part{.iov_base = const_cast<std::byte*>(bytes.data() + at), .iov_len = size};
    return store_->Append({&part, 1});
  });
}

}  // namespace stillframe
