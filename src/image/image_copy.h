// Hands all that an image holds to a sink.
#ifndef STILLFRAME_IMAGE_IMAGE_COPY_H_
#define STILLFRAME_IMAGE_IMAGE_COPY_H_

#include <functional>

#include "stillframe/error.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"

namespace stillframe {

// Tells `sink` all that the image holds, by rising address, and finishes it. What blocks on the
// output is ended by sink.Interrupt() from another thread. `cancelled` is asked between pieces of
// 1 MiB (holes of a file: 1 GiB), and may be empty: kInterrupted then. Errors: the sink's, and
// those of ImageReader::Read.
Result<void> CopyImageTo(const ImageReader& image, PageSink& sink,
                         const std::function<bool()>& cancelled);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_COPY_H_
