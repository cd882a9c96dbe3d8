// An ELF core out of an image.
#ifndef STILLFRAME_PEER_CORE_CORE_FROM_IMAGE_H_
#define STILLFRAME_PEER_CORE_CORE_FROM_IMAGE_H_

#include <functional>

#include "stillframe/core.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"

namespace stillframe {

// Tells `sink` all that the image holds, by rising address, and finishes it. What blocks on the
// output is ended by sink.Interrupt() from another thread. `cancelled`, errors: as WriteCoreOf's.
Result<void> CopyImageTo(const ImageReader& image, PageSink& sink,
                         const std::function<bool()>& cancelled);

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_CORE_FROM_IMAGE_H_
