#include "cli/command.h"
#include "cli/option_parser.h"
#include "cli/stream.h"
#include "report/image_report.h"
#include "report/text.h"
#include "stillframe/image_reader.h"

namespace stillframe {
namespace {

Result<std::unique_ptr<ImageReader>> OpenVerified(const std::string& path) {
  STILLFRAME_ASSIGN(std::unique_ptr<ImageReader> image, ImageReader::Open(path));
  STILLFRAME_TRY(image->Verify());
  return image;
}

// Of all files of the chain.
Bytes CheckedBytes(const ImageReader& image) {
  Bytes bytes;
  for (const ChainFile& file : image.chain()) bytes += file.size;
  return bytes;
}

std::string ToText(const ImageReader& image, const std::string& path) {
  const size_t images = image.chain().size();
  return Printable(path) + ": ok\n  checked   " + FormatBytes(CheckedBytes(image)) +
         (images > 1 ? " of " + FormatCount(images) + " images" : "") +
         ": completeness mark, header, index, every checksum, all padding\n  pages     " +
         FormatCount(PagesOf(image.metadata()).count) + " of " +
         FormatCount(CountSaved(image.metadata())) + " mappings accounted for, " +
         FormatCount(image.counters().lost.count) + " of them lost\n";
}

Json ToJson(const ImageReader& image, const std::string& path) {
  Json report = JsonReport("verify");
  report["image"] = path;
  report["ok"] = true;
  report["image_bytes"] = image.file_size().count;
  report["images"] = image.chain().size();
  report["checked_bytes"] = CheckedBytes(image).count;
  report["pages"] = {{"total", PagesOf(image.metadata()).count},
                     {"lost", image.counters().lost.count}};
  return report;
}

}  // namespace

int RunVerify(const std::vector<std::string>& arguments) {
  OptionParser parser("verify", "IMAGE",
                      "Reads a whole image, and all those that it is a difference to: every "
                      "checksum, the index, the completeness mark.");
  const bool& json = parser.AddFlag("json", 0, "One JSON object on stdout");
  const auto positionals = parser.Parse(arguments, 1);
  if (!positionals) return EndWithError("verify", positionals.error(), WantsJson(arguments));
  if (parser.help_wanted()) return EndWithReport("verify", parser.Help());

  const std::string& path = positionals->front();
  const auto image = OpenVerified(path);
  if (!image) return EndWithError("verify", image.error(), json);
  return EndWithReport("verify",
                       json ? DumpJson(ToJson(**image, path)) + "\n" : ToText(**image, path));
}

}  // namespace stillframe
