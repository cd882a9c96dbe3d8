// ELF cores: what gdb opens, out of a save or of an image.
#ifndef STILLFRAME_CORE_H_
#define STILLFRAME_CORE_H_

#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

struct CoreOptions {
  // Ranges that are known to be lost before the first page comes. A stream has no other way to tell
  // of them.
  std::vector<RangeReason> lost = {};
  // Memory that a core in a file may take to keep account of its pages: kLimit where that is not
  // enough. A process takes little, a damaged image as much as it likes.
  Bytes memory{std::numeric_limits<uint64_t>::max()};
  // Whether pages will come by rising address. Where they won't, an output that needs that is
  // refused (kUsage) before it is opened, which would wait for a FIFO's reader.
  bool in_order = true;
};

// Opens the output. A regular file is written at any place and appears under its name only with
// Finish, as an image does. A FIFO, a device or a descriptor is a stream, front to back: that sink
// needs_order(). Errors: as CreateImage.
Result<std::unique_ptr<PageSink>> CreateCore(const Output& output, CoreOptions options = {});

// Writes the core of what `image` holds to `output`. `cancelled` is asked between pieces of 1 MiB
// (holes of a file: 1 GiB), and may be empty: kInterrupted then. Returns what was written. Errors:
// those of CreateCore and of ImageReader::Read.
Result<SinkCounters> WriteCoreOf(const ImageReader& image, const Output& output,
                                 const std::function<bool()>& cancelled = nullptr);

}  // namespace stillframe

#endif  // STILLFRAME_CORE_H_
