// What the user asked of the image that a save writes, checked.
#ifndef STILLFRAME_CLI_IMAGE_ARGUMENTS_H_
#define STILLFRAME_CLI_IMAGE_ARGUMENTS_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/save_option_table.h"
#include "stillframe/error.h"
#include "stillframe/image.h"

namespace stillframe {

struct ImageArguments {
  // The accelerations and levels of those who name none.
  static constexpr Compression kLz4{Codec::kLz4, 8};
  static constexpr Compression kZstd{Codec::kZstd, 1};

  Compression compression = kLz4;
  std::string parent = {};  // empty: the image stands alone
  Compare compare = Compare::kHash;
  bool any_process = false;
  bool hashes = true;
  size_t threads = DefaultTaskThreads();  // that encode
};

// "none", "lz4", "lz4:4", "zstd", "zstd:-3". Errors: kUsage, which names `option`.
Result<Compression> ParseCompression(std::string_view option, std::string_view text);

// "hash", "bytes". Errors: the same.
Result<Compare> ParseCompare(std::string_view option, std::string_view text);

Result<ImageArguments> ParseImageArguments(const SaveOptionTable& raw);

// Opens the parent, if there is one, and starts the threads, if there is work for them. Errors: as
// ImageReader::Open and StartTaskPool.
Result<ImageOptions> OpenImageOptions(const ImageArguments& arguments);

// Before anything is touched: kUsage where `parent` is of another process than `pid`, kTargetGone
// where that is none. The image itself is sure of it only when it is complete.
Result<void> CheckParentIsOf(pid_t pid, const ImageReader& parent, bool any_process);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_IMAGE_ARGUMENTS_H_
