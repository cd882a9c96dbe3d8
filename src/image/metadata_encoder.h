// Turns an image's metadata into the bytes of its sections.
#ifndef STILLFRAME_IMAGE_METADATA_ENCODER_H_
#define STILLFRAME_IMAGE_METADATA_ENCODER_H_

#include <span>
#include <string>

#include "image/wire.h"
#include "stillframe/page_sink.h"
#include "stillframe/process_state.h"

namespace stillframe {

// The sections by docs/image-format.md. A string or list of more than 4 GiB does not occur and is
// cut.
ByteVector EncodeProcess(const ProcessState& process);
ByteVector EncodeThreads(std::span<const ThreadState> threads);
ByteVector EncodeMappings(std::span<const SavedMapping> mappings);
ByteVector EncodeSkipped(std::span<const RangeReason> skipped);
ByteVector EncodeCapture(const ImageMetadata& metadata);
ByteVector EncodeReasons(std::span<const std::string> reasons);
ByteVector EncodeParent(const WireImageName& name, const std::string& path);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_METADATA_ENCODER_H_
