#include "report/html_page_recorder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/last_told.h"

namespace stillframe {
namespace {

bool SameNeighbours(const HtmlPageRange& a, const HtmlPageRange& b) {
  return a.kind == b.kind && a.range.end == b.range.begin;
}

bool IsZero(std::span<const std::byte> page) {
  return page[0] == std::byte{0} && std::memcmp(page.data(), page.data() + 1, page.size() - 1) == 0;
}

HtmlPageKind KindOf(PageSource source) {
  switch (source) {
    case PageSource::kScanned:
      return HtmlPageKind::kScanned;
    case PageSource::kFaulted:
      return HtmlPageKind::kFaulted;
    case PageSource::kPaused:
      return HtmlPageKind::kPaused;
  }
  return HtmlPageKind::kScanned;
}

class PageRecorder : public PageSink {
 public:
  PageRecorder(std::unique_ptr<PageSink> sink, std::shared_ptr<HtmlPageRecord> record)
      : sink_(std::move(sink)), record_(std::move(record)) {}

  Result<void> Write(TargetAddress address, std::span<const std::byte> pages,
                     PageSource source) override {
    STILLFRAME_TRY(sink_->Write(address, pages, source));
    // As the image does: a page full of zeros counts as zero, whoever saved it.
    const size_t size = kPageSize.count;
    for (size_t at = 0; at + size <= pages.size(); at += size) {
      const bool zero = IsZero(pages.subspan(at, size));
      Record({address + Bytes{at}, address + Bytes{at + size}},
             zero ? HtmlPageKind::kZero : KindOf(source));
    }
    return {};
  }

  Result<void> Zero(AddressRange range) override {
    STILLFRAME_TRY(sink_->Zero(range));
    Record(range, HtmlPageKind::kZero);
    return {};
  }

  Result<void> Lost(AddressRange range, std::string_view reason) override {
    STILLFRAME_TRY(sink_->Lost(range, reason));
    Record(range, HtmlPageKind::kLost);
    return {};
  }

  // Whether zero or not is not told.
  Result<void> InParent(AddressRange range) override {
    STILLFRAME_TRY(sink_->InParent(range));
    Record(range, HtmlPageKind::kScanned);
    return {};
  }

  Result<void> Finish(const ImageMetadata& metadata) override {
    record_->mappings = metadata.mappings;
    if (repeats_) KeepLast();
    return sink_->Finish(metadata);
  }

  void Interrupt() override { sink_->Interrupt(); }
  Result<void> AllowRepeats() override {
    STILLFRAME_TRY(sink_->AllowRepeats());
    repeats_ = true;
    return {};
  }
  Result<void> Expect(const ImageMetadata& metadata, Expectation expectation) override {
    return sink_->Expect(metadata, expectation);
  }
  bool needs_order() const override { return sink_->needs_order(); }
  void SetPacer(std::function<Result<void>(Bytes)> pacer, Bytes largest) override {
    sink_->SetPacer(std::move(pacer), largest);
  }
  SinkCounters counters() const override { return sink_->counters(); }

 private:
  void Record(AddressRange range, HtmlPageKind kind) {
    std::vector<HtmlPageRange>& ranges = record_->ranges;
    const HtmlPageRange next{range, kind};
    if (!ranges.empty() && SameNeighbours(ranges.back(), next)) {
      ranges.back().range.end = range.end;
      return;
    }
    if (ranges.size() >= HtmlPageRecord::kMaxRanges && !full_) {
      if (repeats_) KeepLast();
      MergeNeighbours();
      full_ = ranges.size() > HtmlPageRecord::kMaxRanges / 2;
    }
    if (full_) {
      record_->unknown += range.pages();
      return;
    }
    ranges.push_back(next);
  }

  // Of each page what was recorded last, by address.
  void KeepLast() {
    std::vector<HtmlPageRange>& ranges = record_->ranges;
    std::vector<AddressRange> told;
    told.reserve(ranges.size());
    for (const HtmlPageRange& range : ranges) told.push_back(range.range);
    std::vector<HtmlPageRange> kept;
    for (const ToldPart& part : LastTold(told))
      kept.push_back({part.range, ranges[part.told].kind});
    ranges = std::move(kept);
  }

  void MergeNeighbours() {
    std::vector<HtmlPageRange>& ranges = record_->ranges;
    std::ranges::sort(ranges, {}, [](const HtmlPageRange& r) { return r.range.begin; });
    size_t kept = 0;
    for (size_t i = 1; i < ranges.size(); ++i) {
      if (SameNeighbours(ranges[kept], ranges[i])) {
        ranges[kept].range.end = ranges[i].range.end;
      } else {
        ranges[++kept] = ranges[i];
      }
    }
    ranges.resize(kept + 1);
  }

  const std::unique_ptr<PageSink> sink_;
  const std::shared_ptr<HtmlPageRecord> record_;
  bool full_ = false;
  bool repeats_ = false;
};

}  // namespace

HtmlMemoryMap HtmlPageRecord::ToMap() const {
  HtmlMemoryMap map = MakeHtmlMemoryMap(mappings, ranges);
  map.unknown = unknown;
  return map;
}

std::unique_ptr<PageSink> RecordPages(std::unique_ptr<PageSink> sink,
                                      std::shared_ptr<HtmlPageRecord> record) {
  return std::make_unique<PageRecorder>(std::move(sink), std::move(record));
}

}  // namespace stillframe
