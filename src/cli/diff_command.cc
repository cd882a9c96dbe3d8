#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/option_parser.h"
#include "cli/report_file.h"
#include "cli/stream.h"
#include "report/diff_report.h"
#include "report/html_report.h"
#include "stillframe/image_diff.h"
#include "stillframe/image_reader.h"
#include "stillframe/task_pool.h"

namespace stillframe {
namespace {

struct Opened {
  std::unique_ptr<ImageReader> a;
  std::unique_ptr<ImageReader> b;
};

Result<Opened> OpenBoth(const std::string& a, const std::string& b) {
  ReadOptions options;
  STILLFRAME_ASSIGN(options.workers, StartTaskPool(DefaultTaskThreads()));
  Opened opened;
  STILLFRAME_ASSIGN(opened.a, ImageReader::Open(a, options));
  STILLFRAME_ASSIGN(opened.b, ImageReader::Open(b, options));
  return opened;
}

std::string CommandLine(const std::vector<std::string>& arguments) {
  std::string line = "stillframe diff";
  for (const std::string& argument : arguments) line += " " + argument;
  return line;
}

Result<std::string> Diff(const std::vector<std::string>& paths, bool json,
                         const std::optional<std::string>& report,
                         const std::vector<std::string>& arguments) {
  if (report) {
    if (report->empty()) return Fail(ErrorCode::kUsage, "--report names no file");
    // Before the work, which may take long.
    STILLFRAME_TRY(ReportFile::Plan(*report));
  }
  STILLFRAME_ASSIGN(const Opened opened, OpenBoth(paths[0], paths[1]));
  const DiffedImages images{*opened.a, *opened.b, paths[0], paths[1]};
  STILLFRAME_ASSIGN(const ImageDiff diff, DiffImages(images.a, images.b));
  if (report) {
    STILLFRAME_TRY(WriteHtml(
        MakeHtmlDiffReport(diff, images, {{"Command", CommandLine(arguments)}}), *report));
  }
  return json ? DumpJson(DiffToJson(diff, images)) + "\n" : DiffToText(diff, images);
}

}  // namespace

int RunDiff(const std::vector<std::string>& arguments) {
  OptionParser parser("diff", "A B",
                      "Prints which ranges of memory differ between two images. The exit code is 0 "
                      "whether any do or not.");
  const bool& json = parser.AddFlag("json", 0, "One JSON object on stdout");
  const std::optional<std::string>& report =
      parser.AddValue("report", 0, "FILE.html", "Draw a map of the memory, as one HTML page");
  const auto positionals = parser.Parse(arguments, 2);
  if (!positionals) return EndWithError("diff", positionals.error(), WantsJson(arguments));
  if (parser.help_wanted()) return EndWithReport("diff", parser.Help());

  const auto text = Diff(*positionals, json, report, arguments);
  if (!text) return EndWithError("diff", text.error(), json);
  return EndWithReport("diff", *text);
}

}  // namespace stillframe
