// What a save writes: an image of our own, or a core.
#ifndef STILLFRAME_REPORT_SAVE_FORMAT_H_
#define STILLFRAME_REPORT_SAVE_FORMAT_H_

#include <string_view>

namespace stillframe {

enum class SaveFormat { kImage, kCore };

// What it is called in reports and messages.
constexpr std::string_view FormatName(SaveFormat format) {
  return format == SaveFormat::kCore ? "core" : "image";
}

// The verb of the command that writes it.
constexpr std::string_view VerbOf(SaveFormat format) {
  return format == SaveFormat::kCore ? "core" : "save";
}

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_SAVE_FORMAT_H_
