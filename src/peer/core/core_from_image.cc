#include "image/image_copy.h"
#include "stillframe/core.h"
#include "stillframe/image_reader.h"

namespace stillframe {

Result<SinkCounters> WriteCoreOf(const ImageReader& image, const Output& output,
                                 const std::function<bool()>& cancelled) {
  STILLFRAME_ASSIGN(const auto sink, CreateCore(output, {.lost = LostRanges(image)}));
  STILLFRAME_TRY(CopyImageTo(image, *sink, cancelled));
  return sink->counters();
}

}  // namespace stillframe
