// Giving back what later images of a chain have in its place.
#ifndef STILLFRAME_DEDUP_H_
#define STILLFRAME_DEDUP_H_

#include <functional>
#include <string>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

struct DedupOptions {
  bool dry_run = false;  // only find out what could be freed
  // Asked between two images; true ends it with kInterrupted, whatever was done by then stays. May
  // be empty.
  std::function<bool()> cancelled = nullptr;
};

// An image of which something is freed: it is a parent of others, and can't be read by itself there
// any more.
struct DedupedImage {
  std::string path;
  Pages freed_before;  // of its pages, by earlier runs
  Pages freed;         // by this one
  Bytes given_back;    // to the file system, as far as it tells: less of the file is on the disk
};

struct DedupReport {
  size_t images = 0;  // in the directory
  size_t ends = 0;    // of them, those that are nobody's parent: all of these stay whole
  std::vector<DedupedImage> deduped;
};

// Frees, in the images that lie in `directory` and are parents of others there, all that none of
// the ends of the chains needs. An image elsewhere whose parent lies in that directory is not seen,
// and is damaged by it.
//
// What is to be freed is written down beside each image before anything is, so it may be killed at
// any time; the next run completes what it had begun. Errors: kUsage (no such directory, an image
// in use), kDamaged (an image, or a parent that some image lacks: nothing is freed then), kOutput,
// kPermission, kUnsupported where the file system has no holes.
Result<DedupReport> DedupImages(const std::string& directory, const DedupOptions& options = {});

}  // namespace stillframe

#endif  // STILLFRAME_DEDUP_H_
