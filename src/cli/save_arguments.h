// What the user asked of `stillframe save` or `stillframe core`, checked.
#ifndef STILLFRAME_CLI_SAVE_ARGUMENTS_H_
#define STILLFRAME_CLI_SAVE_ARGUMENTS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/image_arguments.h"
#include "report/save_format.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/save.h"
#include "stillframe/units.h"

namespace stillframe {

enum class ProgressStyle { kNone, kBar, kJson };

struct SaveArguments {
  SaveFormat format = SaveFormat::kImage;
  std::string help;  // not empty: print this and do nothing
  pid_t pid = 0;     // 0 where there is an image to make a core of
  std::string from;  // that image; empty: the process is saved
  std::string file;  // what is written, as the user named it; "-" is stdout
  bool force = false;
  bool dry_run = false;  // only predict; `file` may be empty then
  std::string trace;     // file for what the save saw; empty: none
  std::string report;    // HTML file that draws the same; empty: none
  ImageArguments image;  // of kImage
  SaveOptions options;   // at_instant is left to the caller
  std::optional<std::string> exec_paused;
  Duration exec_timeout = std::chrono::seconds(10);
  ProgressStyle progress = ProgressStyle::kNone;
  bool quiet = false;
  bool verbose = false;
  bool json = false;

  bool to_stdout() const { return file == "-"; }
  Output output() const;
  std::string_view verb() const { return VerbOf(format); }
};

// The arguments after the verb that writes `format`. `stderr_is_terminal` decides what `--progress
// auto` is. Errors: kUsage.
Result<SaveArguments> ParseSaveArguments(const std::vector<std::string>& arguments,
                                         bool stderr_is_terminal,
                                         SaveFormat format = SaveFormat::kImage);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_SAVE_ARGUMENTS_H_
