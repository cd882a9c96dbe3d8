// Writing an image: where to, how small, and to which image it is a difference.
#ifndef STILLFRAME_IMAGE_H_
#define STILLFRAME_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "stillframe/error.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"
#include "stillframe/process_state.h"
#include "stillframe/task_pool.h"

namespace stillframe {

// As many images as a chain may have.
inline constexpr size_t kMostChainFiles = 1024;

enum class Codec : uint8_t {
  kNone,
  kLz4,
  kZstd,
};

struct Compression {
  Codec codec = Codec::kNone;
  // kLz4: the acceleration, 1 to 65537, faster and larger as it grows. kZstd: -7 to 19, 0 excluded.
  // Of kNone nothing.
  int level = 0;
  bool operator==(const Compression&) const = default;
};

// How a page is held against the same page of the parent.
enum class Compare : uint8_t {
  kHash,   // by their 128-bit XXH3, which the parent keeps
  kBytes,  // and where these are equal, byte by byte: reads the parent's pages
};

struct ImageOptions {
  Compression compression = {};
  // Keeps a hash of each page in the image, 16 bytes, so that it can be the parent of another one.
  bool hashes = true;
  // Pages that are equal to this image's are not written. Its files stay open, and nobody takes
  // anything from them meanwhile. Null: none.
  std::shared_ptr<const ImageReader> parent = nullptr;
  Compare compare = Compare::kHash;
  // Accept a parent of another process that runs the same executable. Else it has to be one of the
  // very same: boot, pid and start time.
  bool any_process = false;
  // Blocks are encoded on these. Null: on the thread that writes.
  std::shared_ptr<TaskPool> workers = nullptr;
};

// Opens the output and writes the image's header. A regular file appears under its name only with
// Finish. FIFOs, devices and descriptors are written front to back, like a pipe. Errors: kOutput or
// kPermission (no such directory, read-only, full), kUsage (exists, without force; is a directory;
// a level that the codec doesn't have; a parent without hashes, or that the output would replace).
// That the parent is of another process is found by Finish at the latest: kUsage.
Result<std::unique_ptr<PageSink>> CreateImage(const Output& output,
                                              const ImageOptions& options = {});

// kUsage unless `process` is the one that `parent` is of: the same boot, pid and start time, or
// with `any_process` one that runs the same executable. Of `process` nothing else is looked at.
Result<void> CheckParent(const ImageReader& parent, const ProcessState& process, bool any_process);

// As CreateImage, for all that `image` and its parents hold: CopyImageTo it. Without a parent of
// its own, it stands for `image`: whoever has that as a parent may have this one in its place, so
// it may also replace it, but none of its parents. options.parent is to be null.
Result<std::unique_ptr<PageSink>> CreateMerged(const ImageReader& image, const Output& output,
                                               const ImageOptions& options = {});

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_H_
