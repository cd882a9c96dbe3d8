// What is in an image.
#ifndef STILLFRAME_REPORT_IMAGE_REPORT_H_
#define STILLFRAME_REPORT_IMAGE_REPORT_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "report/json.h"
#include "stillframe/image_reader.h"

namespace stillframe {

// The object of `info --json`; the README lists its fields.
Json ImageToJson(const ImageReader& image, std::string_view path);
// The same for a person. `all`: every thread, range and mapping, else the first few and the
// mappings that are saved.
std::string ImageToText(const ImageReader& image, std::string_view path, bool all);

// Pages that the image accounts for: those of the saved parts of all mappings.
Pages PagesOf(const ImageMetadata& metadata);
// How many mappings have a saved part.
size_t CountSaved(const ImageMetadata& metadata);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_IMAGE_REPORT_H_
