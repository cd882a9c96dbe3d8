// What the user asked of `stillframe watch`, checked.
#ifndef STILLFRAME_CLI_WATCH_ARGUMENTS_H_
#define STILLFRAME_CLI_WATCH_ARGUMENTS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/image_arguments.h"
#include "stillframe/error.h"
#include "stillframe/save.h"
#include "stillframe/units.h"

namespace stillframe {

struct WatchArguments {
  std::string help;  // not empty: print this and do nothing
  pid_t pid = 0;
  Duration every = std::chrono::seconds(60);
  std::string directory;
  size_t keep = 0;     // 0: all
  uint64_t count = 0;  // ends after so many; 0: never
  ImageArguments image;
  SaveOptions options;
  bool json = false;
  bool quiet = false;
};

// The arguments after the verb. Errors: kUsage.
Result<WatchArguments> ParseWatchArguments(const std::vector<std::string>& arguments);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_WATCH_ARGUMENTS_H_
