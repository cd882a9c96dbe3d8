#include "cli/command.h"
#include "cli/option_parser.h"
#include "cli/stream.h"
#include "report/image_report.h"
#include "stillframe/image_reader.h"

namespace stillframe {

int RunInfo(const std::vector<std::string>& arguments) {
  OptionParser parser("info", "IMAGE",
                      "Prints what is in an image. Reads its index, not its pages.");
  const bool& json = parser.AddFlag("json", 0, "One JSON object on stdout");
  const bool& verbose = parser.AddFlag("verbose", 'v', "List every thread and range");
  const auto positionals = parser.Parse(arguments, 1);
  if (!positionals) return EndWithError("info", positionals.error(), WantsJson(arguments));
  if (parser.help_wanted()) return EndWithReport("info", parser.Help());

  const std::string& path = positionals->front();
  const auto image = ImageReader::Open(path);
  if (!image) return EndWithError("info", image.error(), json);
  return EndWithReport("info", json ? DumpJson(ImageToJson(**image, path)) + "\n"
                                    : ImageToText(**image, path, verbose));
}

}  // namespace stillframe
