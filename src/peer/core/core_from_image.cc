#include "peer/core/core_from_image.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

namespace stillframe {
namespace {

constexpr uint64_t kPiece = MiB(1).count;
// What is not data is only noted where it becomes a hole.
constexpr uint64_t kHolePiece = GiB(1).count;

class ImageCopy {
 public:
  ImageCopy(const ImageReader& image, PageSink& sink, const std::function<bool()>& cancelled)
      : image_(image), sink_(sink), cancelled_(cancelled), buffer_(kPiece) {}

  Result<void> Copy(const ImageRun& run) {
    const bool hole = run.kind != PageKind::kData && !sink_.needs_order();
    const uint64_t most = hole ? kHolePiece : kPiece;
    for (TargetAddress at = run.range.begin; at < run.range.end;) {
      if (cancelled_ && cancelled_()) {
        return Fail(ErrorCode::kInterrupted, "writing the core of an image was interrupted");
      }
      const TargetAddress end{at.value + std::min(most, (run.range.end - at).count)};
      STILLFRAME_TRY(CopyPiece(run, {at, end}));
      at = end;
    }
    return {};
  }

 private:
  Result<void> CopyPiece(const ImageRun& run, AddressRange piece) {
    if (run.kind == PageKind::kZero) return sink_.Zero(piece);
    if (run.kind == PageKind::kLost) return sink_.Lost(piece, run.reason);
    const auto to = std::span(buffer_).first(static_cast<size_t>(piece.size().count));
    STILLFRAME_TRY(image_.Read(piece.begin, to));
    return sink_.Write(piece.begin, to, run.source);
  }

  const ImageReader& image_;
  PageSink& sink_;
  const std::function<bool()>& cancelled_;
  std::vector<std::byte> buffer_;
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
  return sink.Finish(metadata);
}

Result<SinkCounters> WriteCoreOf(const ImageReader& image, const Output& output,
                                 const std::function<bool()>& cancelled) {
  STILLFRAME_ASSIGN(const auto sink, CreateCore(output, {.lost = LostRanges(image)}));
  STILLFRAME_TRY(CopyImageTo(image, *sink, cancelled));
  return sink->counters();
}

}  // namespace stillframe
