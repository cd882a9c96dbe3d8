#include "peer/core/core_writer.h"

#include <cerrno>

#include "base/fail_point.h"
#include "peer/core/core_notes.h"
#include "peer/core/page_range.h"

namespace stillframe {
namespace {

constexpr uint64_t kHeaderAlignment = 8;

template <class T>
std::span<const std::byte> BytesOf(const T& header) {
  return std::as_bytes(std::span<const T>(&header, 1));
}

Error WithHint(Error error) {
  if (error.system_errno == EFBIG) {
    error.hint =
        "a core is as large as all that is mapped, holes included: leave mappings out with "
        "--filter, or choose another file system; see ulimit -f too";
  }
  return error;
}

}  // namespace

Result<void> CoreWriter::Check(TargetAddress address, uint64_t bytes) const {
  if (failed_) return tl::unexpected(*failed_);
  if (finished_) return Fail(ErrorCode::kInternal, "the core is finished already");
  return CheckPageRange(address, bytes);
}

Result<void> CoreWriter::Keep(Result<void> result) {
  if (result) return result;
  failed_ = WithHint(std::move(result).error());
  return tl::unexpected(*failed_);
}

Result<void> CoreWriter::Write(TargetAddress address, std::span<const std::byte> pages,
                               PageSource source) {
  STILLFRAME_TRY(Check(address, pages.size()));
  return Keep(pages_.Write(address, pages, source));
}

Result<void> CoreWriter::Zero(AddressRange range) {
  if (range.empty()) return {};
  STILLFRAME_TRY(Check(range.begin, range.size().count));
  return Keep(pages_.Zero(range));
}

Result<void> CoreWriter::Lost(AddressRange range, std::string_view reason) {
  if (range.empty()) return {};
  STILLFRAME_TRY(Check(range.begin, range.size().count));
  return Keep(pages_.Lost(range, reason));
}

Result<void> CoreWriter::AllowRepeats() {
  STILLFRAME_TRY(Check({}, 0));
  if (!pages_.untouched()) {
    return Fail(ErrorCode::kInternal, "the core holds pages already");
  }
  pages_.AllowRepeats();
  return {};
}

Result<void> CoreWriter::Expect(const ImageMetadata& metadata, Expectation expectation) {
  STILLFRAME_TRY(Check({}, 0));
  return Keep(pages_.Expect(metadata.mappings, expectation));
}

Result<void> CoreWriter::Finish(const ImageMetadata& metadata) {
  STILLFRAME_TRY(Check({}, 0));
  finished_ = true;
  return Keep(Complete(metadata));
}

Result<void> CoreWriter::Complete(const ImageMetadata& metadata) {
  if (!pages_.settled()) {
    STILLFRAME_TRY(pages_.Expect(metadata.mappings, Expectation::kSettled));
  }
  STILLFRAME_TRY(pages_.Complete(metadata.mappings));
  const std::vector<RangeReason> lost = pages_.LostRanges();
  STILLFRAME_ASSIGN(const std::vector<std::byte> notes, EncodeCoreNotes(metadata, lost));
  STILLFRAME_TRY(WriteHeaders(CutSegments(metadata.mappings, lost), notes));
  FailPoint("core.headers");
  STILLFRAME_TRY(store_->Publish());
  complete_size_.store(pages_.counts().data() * kPageSize.count + described_,
                       std::memory_order_relaxed);
  return {};
}

SinkCounters CoreWriter::counters() const {
  const Bytes complete{complete_size_.load(std::memory_order_relaxed)};
  return pages_.counts().WithWritten(complete.count > 0 ? complete : store_->written());
}

Result<void> CoreWriter::WriteHeaders(std::span<const CoreSegment> segments,
                                      std::span<const std::byte> notes) {
  CoreParts parts;
  parts.contents = pages_.contents();
  parts.notes = pages_.layout().contents_end();
  parts.notes_size = Bytes{notes.size()};
  uint64_t end = parts.notes + notes.size();
  end += (kHeaderAlignment - end % kHeaderAlignment) % kHeaderAlignment;
  const uint64_t count = ProgramHeaderCount(segments.size());
  if (parts.program_headers + ProgramHeaderBytes(count) > parts.contents) {
    parts.program_headers = end;
    end += ProgramHeaderBytes(count);
  }
  parts.section_header = end;

  const std::vector<Elf64_Phdr> headers =
      CoreProgramHeaders(parts, segments, [this](TargetAddress address) {
        return pages_.layout().Find({address, address + kPageSize})->offset;
      });
  STILLFRAME_TRY(WriteAt(parts.notes, notes));
  STILLFRAME_TRY(WriteAt(parts.program_headers, std::as_bytes(std::span(headers))));
  if (NeedsSectionHeader(count)) {
    STILLFRAME_TRY(WriteAt(parts.section_header, BytesOf(CountingSectionHeader(count))));
  }
  return WriteAt(0, BytesOf(CoreElfHeader(parts, count)));
}

Result<void> CoreWriter::WriteAt(uint64_t offset, std::span<const std::byte> bytes) {
  described_ += bytes.size();
  return pacing_.InPieces(bytes.size(), [&](uint64_t at, uint64_t size) {
    return store_->WriteAt(offset + at, bytes.subspan(at, size));
  });
}

}  // namespace stillframe
