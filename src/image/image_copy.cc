#include "image/image_copy.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "image/coverage.h"

namespace stillframe {
namespace {

constexpr uint64_t kPiece = MiB(1).count;
// What is not data is only noted where it becomes a hole.
constexpr uint64_t kHolePiece = GiB(1).count;

// Reads pages of many runs at once, however short these are, and tells of all of them in order.
class ImageCopy {
 public:
  ImageCopy(const ImageReader& image, PageSink& sink, const std::function<bool()>& cancelled)
      : sink_(sink), cancelled_(cancelled), queue_(image.Queue()), buffer_(kPiece) {}

  Result<void> Copy(const ImageRun& run) {
    if (run.kind == PageKind::kFreed) {
      return Fail(ErrorCode::kUsage,
                  "the page at " + Hex(run.range.begin.value) +
                      " is not in the image any more: dedup has freed it",
                  "a later image of its chain has what came in its place");
    }
    const bool hole = run.kind != PageKind::kData && !sink_.needs_order();
    for (TargetAddress at = run.range.begin; at < run.range.end;) {
      if (used_ == kPiece || noted_.size() == kMostNoted) STILLFRAME_TRY(Flush());
      const uint64_t most = hole ? kHolePiece : kPiece - used_;
      ImageRun piece = run;
      piece.range = {at, at + Bytes{std::min(most, (run.range.end - at).count)}};
      STILLFRAME_TRY(Note(piece));
      at = piece.range.end;
    }
    return {};
  }

  Result<void> Flush() {
    STILLFRAME_TRY(queue_->Sync());
    std::span<const std::byte> pages(buffer_);
    for (const ImageRun& run : noted_) {
      if (cancelled_ && cancelled_()) {
        return Fail(ErrorCode::kInterrupted, "copying what an image holds was interrupted");
      }
      STILLFRAME_TRY(Tell(run, pages));
      if (run.kind == PageKind::kData) {
        pages = pages.subspan(static_cast<size_t>(run.range.size().count));
      }
    }
    noted_.clear();
    used_ = 0;
    return {};
  }

 private:
  static constexpr size_t kMostNoted = 4096;

  Result<void> Note(const ImageRun& run) {
    noted_.push_back(run);
    // One that was freed can't be read either, and QueueRead says why.
    if (run.kind == PageKind::kZero || run.kind == PageKind::kLost) return {};
    for (TargetAddress at = run.range.begin; at < run.range.end; at = at + kPageSize) {
      STILLFRAME_TRY(queue_->QueueRead(at, std::span(buffer_).subspan(used_, kPageSize.count)));
      used_ += kPageSize.count;
    }
    return {};
  }

  Result<void> Tell(const ImageRun& run, std::span<const std::byte> pages) {
    if (run.kind == PageKind::kZero) return sink_.Zero(run.range);
    if (run.kind == PageKind::kLost) return sink_.Lost(run.range, run.reason);
    return sink_.Write(run.range.begin, pages.first(static_cast<size_t>(run.range.size().count)),
                       run.source);
  }

  PageSink& sink_;
  const std::function<bool()>& cancelled_;
  const std::unique_ptr<PageQueue> queue_;
  std::vector<std::byte> buffer_;  // the pages of what is noted
  size_t used_ = 0;
  std::vector<ImageRun> noted_;
};

}  // namespace

Result<void> CopyImageTo(const ImageReader& image, PageSink& sink,
                         const std::function<bool()>& cancelled) {
  const ImageMetadata& metadata = image.metadata();
  STILLFRAME_TRY(sink.Expect(metadata, Expectation::kSettled));
  ImageCopy copy(image, sink, cancelled);
  for (const SavedMapping& mapping : metadata.mappings) {
    for (const ImageRun& run : image.Runs(mapping.saved)) STILLFRAME_TRY(copy.Copy(run));
  }
  STILLFRAME_TRY(copy.Flush());
  return sink.Finish(metadata);
}

}  // namespace stillframe
