// ELF cores: what gdb opens, out of a save or of an image.
#ifndef STILLFRAME_CORE_H_
#define STILLFRAME_CORE_H_

#include <functional>
#include <memory>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"

namespace stillframe {

struct CoreOptions {
  // Ranges that are known to be lost before the first page comes. A stream has no other way to tell
  // of them.
  std::vector<RangeReason> lost = {};
};

// Opens the output. A regular file is written at any place and appears under its name only with
// Finish, as an image does. A FIFO, a device or a descriptor is a stream, front to back: that sink
// needs_order(). Errors: as CreateImage.
Result<std::unique_ptr<PageSink>> CreateCore(const Output& output, CoreOptions options = {});

// Writes the core of what `image` holds to `output`. `cancelled` is asked between pieces of 1 MiB,
// and may be empty: kInterrupted then. Returns what was written. Errors: those of CreateCore and of
// ImageReader::Read.
Result<SinkCounters> WriteCoreOf(const ImageReader& image, const Output& output,
                                 const std::function<bool()>& cancelled = nullptr);

}  // namespace stillframe

#endif  // STILLFRAME_CORE_H_
