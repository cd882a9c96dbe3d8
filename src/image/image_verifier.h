// Reads all of an image, to see that every byte of it is as it was written.
#ifndef STILLFRAME_IMAGE_IMAGE_VERIFIER_H_
#define STILLFRAME_IMAGE_IMAGE_VERIFIER_H_

#include "image/stored_image.h"
#include "stillframe/error.h"

namespace stillframe {

// The file once more from its beginning, not what was read of it when it was opened: that may be an
// hour ago. Every block: its checksum, that it decodes, and each of its pages' hash where the image
// keeps them; what was freed is zero, if freeing it was complete. Errors: kDamaged; as
// ImageFile::ReadAt.
Result<void> VerifyImage(const StoredImage& image);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_VERIFIER_H_
