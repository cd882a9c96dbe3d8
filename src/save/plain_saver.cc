#include "save/plain_saver.h"

#include <algorithm>

#include "base/fail_point.h"

namespace stillframe {
namespace {

constexpr Bytes kReadAtOnce = MiB(1);

}  // namespace

PlainSaver::PlainSaver(PageSink& sink, const OutputPacer& pacer, PageSource source)
    : sink_(sink), pacer_(pacer), source_(source), buffer_(kReadAtOnce) {}

Result<void> PlainSaver::Save(const StillMemory& memory, const PlannedMapping& planned,
                              const std::function<Result<void>()>& check) {
  const MappingContents contents(memory, planned);
  return contents.ForEach(
      [&](const Stretch& stretch) { return SaveStretch(contents, stretch, check); });
}

Result<void> PlainSaver::SaveStretch(const MappingContents& contents, const Stretch& stretch,
                                     const std::function<Result<void>()>& check) {
  switch (stretch.source) {
    case Stretch::Source::kUnknown:
      AppendRange(stretch.range, &unreadable_);
      return sink_.Zero(stretch.range);
    case Stretch::Source::kZero:
      return sink_.Zero(stretch.range);
    case Stretch::Source::kMemory:
    case Stretch::Source::kFile:
      break;
  }
  for (TargetAddress at = stretch.range.begin; at < stretch.range.end;) {
    STILLFRAME_TRY(check());
    const Bytes size = std::min(kReadAtOnce, stretch.range.end - at);
    const std::span<std::byte> piece(buffer_.data(), size.count);
    STILLFRAME_TRY(contents.Read(stretch, at, piece, &unreadable_));
    FailPoint("save.plain-read");
    STILLFRAME_TRY(Write(at, piece, source_));
    at = at + size;
  }
  return {};
}

Result<void> PlainSaver::Write(TargetAddress address, std::span<const std::byte> pages,
                               PageSource source) {
  while (!pages.empty()) {
    const auto piece = pages.first(std::min<size_t>(pages.size(), pacer_.LargestWrite().count));
    STILLFRAME_TRY(sink_.Write(address, piece, source));
    done_.fetch_add(ToPages(Bytes{piece.size()}).count, std::memory_order_relaxed);
    address = address + Bytes{piece.size()};
    pages = pages.subspan(piece.size());
  }
  return {};
}

Pages ExpectedPages(std::span<const PlannedMapping> plan) {
  Pages pages;
  for (const PlannedMapping& planned : plan) {
    if (planned.treatment == Treatment::kSkip) continue;
    const Mapping& mapping = planned.mapping;
    // A file's pages are read whether or not the target has them in its page tables.
    const Bytes there = mapping.has_file() && !mapping.hugetlb ? planned.saved.size()
                                                               : mapping.resident + mapping.swapped;
    pages += ToPages(std::min(there, planned.saved.size()));
  }
  return pages;
}

}  // namespace stillframe
