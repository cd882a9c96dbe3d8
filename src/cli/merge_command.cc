#include <unistd.h>

#include "cli/command.h"
#include "cli/image_arguments.h"
#include "cli/image_conversion.h"
#include "cli/option_parser.h"
#include "cli/option_value.h"
#include "cli/stream.h"
#include "stillframe/image.h"

namespace stillframe {
namespace {

using Text = std::optional<std::string>;

constexpr char kAbout[] =
    "Writes all that IMAGE and its parents hold to FULL (\"-\": stdout), an image that needs no "
    "parent. It may\n"
    "take the place of IMAGE: whoever has that as a parent can be read with it.";

Result<void> CheckOutput(const Text& output) {
  if (!output || output->empty()) {
    return Fail(ErrorCode::kUsage, "no output given: where should the image go?",
                "stillframe merge IMAGE -o FULL");
  }
  if (*output == "-" && isatty(STDOUT_FILENO) != 0) {
    return Fail(ErrorCode::kUsage, "-o - would write the image to a terminal",
                "redirect stdout to a file or into a pipe");
  }
  return {};
}

Result<ImageOptions> OptionsOf(const Text& compress, const Text& threads) {
  ImageArguments arguments;
  if (compress) {
    STILLFRAME_ASSIGN(arguments.compression, ParseCompression("--compress", *compress));
  }
  if (threads) {
    STILLFRAME_ASSIGN(arguments.threads, ParseCount("--compress-threads", *threads, {1, 256}));
  }
  STILLFRAME_ASSIGN(ImageOptions options, OpenImageOptions(arguments));
  if (!options.workers) {
    STILLFRAME_ASSIGN(options.workers, StartTaskPool(arguments.threads));
  }
  return options;
}

}  // namespace

int RunMerge(const std::vector<std::string>& arguments) {
  OptionParser parser("merge", "IMAGE -o FULL", kAbout);
  const Text& output = parser.AddValue("output", 'o', "FULL", "Where to; - for stdout. Required");
  const bool& force =
      parser.AddFlag("force", 0, "Replace an existing file, which stays whole until then");
  const Text& compress =
      parser.AddValue("compress", 0, "none|lz4|zstd[:LEVEL]", "How blocks are encoded (lz4)");
  const Text& threads = parser.AddValue("compress-threads", 0, "N",
                                        "Threads that decode and encode (one for each CPU)");
  const bool& json = parser.AddFlag("json", 0, "The summary as one JSON object");
  const bool& quiet = parser.AddFlag("quiet", 'q', "Only warnings and errors");
  const bool& verbose = parser.AddFlag("verbose", 'v', "List all skipped and lost ranges");
  const auto positionals = parser.Parse(arguments, 1);
  if (!positionals) return EndWithError("merge", positionals.error(), WantsJson(arguments));
  if (parser.help_wanted()) return EndWithReport("merge", parser.Help());
  if (const auto good = CheckOutput(output); !good) {
    return EndWithError("merge", good.error(), json);
  }
  const auto options = OptionsOf(compress, threads);
  if (!options) return EndWithError("merge", options.error(), json);

  ImageConversion plan{.format = SaveFormat::kImage,
                       .from = positionals->front(),
                       .file = *output,
                       .output = {},
                       .reading = {.workers = options->workers},
                       .open = nullptr,
                       .json = json,
                       .quiet = quiet,
                       .verbose = verbose};
  plan.output = plan.to_stdout() ? Output{.descriptor = STDOUT_FILENO}
                                 : Output{.path = plan.file, .force = force};
  plan.open = [&](const ImageReader& image) { return CreateMerged(image, plan.output, *options); };
  return RunConversion(plan);
}

}  // namespace stillframe
