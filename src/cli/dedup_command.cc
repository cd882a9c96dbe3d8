#include "cli/command.h"
#include "cli/option_parser.h"
#include "cli/stream.h"
#include "report/dedup_report.h"
#include "stillframe/dedup.h"

namespace stillframe {

int RunDedup(const std::vector<std::string>& arguments) {
  OptionParser parser(
      "dedup", "DIR",
      "Frees in the images of DIR that are parents of others there what those have in its place. "
      "An image\n"
      "that is nobody's parent stays whole; a parent can't be read by itself where it was freed. "
      "No "
      "image of\n"
      "DIR may be in use, and none elsewhere may have a parent in it.");
  const bool& dry_run = parser.AddFlag("dry-run", 0, "Only tell what could be freed");
  const bool& json = parser.AddFlag("json", 0, "One JSON object on stdout");
  const auto positionals = parser.Parse(arguments, 1);
  if (!positionals) return EndWithError("dedup", positionals.error(), WantsJson(arguments));
  if (parser.help_wanted()) return EndWithReport("dedup", parser.Help());

  // No signal is caught: it may end us at any time.
  const std::string& directory = positionals->front();
  const auto report = DedupImages(directory, {.dry_run = dry_run});
  if (!report) return EndWithError("dedup", report.error(), json);
  return EndWithReport("dedup", json ? DumpJson(DedupToJson(*report, directory, dry_run)) + "\n"
                                     : DedupToText(*report, directory, dry_run));
}

}  // namespace stillframe
