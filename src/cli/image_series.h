// The images that `watch` keeps in a directory, one after the other.
#ifndef STILLFRAME_CLI_IMAGE_SERIES_H_
#define STILLFRAME_CLI_IMAGE_SERIES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/image.h"

namespace stillframe {

// Files named image-NNNNNN, by rising number; whatever else is in the directory is let alone.
//
// Thread rule: one thread.
class ImageSeries {
 public:
  // Makes the directory where it does not exist, for nobody else to look into. Errors: as for
  // mkdir(2) and open(2), kUsage for what is no directory.
  static Result<ImageSeries> Open(const std::string& directory);

  const std::string& directory() const { return directory_; }
  size_t size() const { return numbers_.size(); }
  // The last one; nothing where there is none.
  std::optional<std::string> newest() const;
  // Where the one after it goes.
  std::string next() const;
  // That it is there now.
  void Added() { numbers_.push_back(next_++); }

  // Once there are twice `keep`, writes the oldest of the newest `keep` anew, so that it needs no
  // parent, and removes all that are older: so one image in `keep` is written twice, and there are
  // always `keep` or more, unless dedup has thinned some of them out. `options`: of the new one,
  // without a parent. Killed in the middle it has removed nothing that is needed. Returns how many
  // were removed. Errors: as CreateImage and ImageReader; `cancelled` as CopyImageTo's.
  Result<size_t> Prune(size_t keep, const ImageOptions& options,
                       const std::function<bool()>& cancelled);

  // Removes the directory again if Open made it and nothing came into it.
  void LeaveNothing() const;

 private:
  explicit ImageSeries(std::string directory) : directory_(std::move(directory)) {}

  std::string PathOf(uint64_t number) const;
  Result<void> MakeWhole(const std::string& path, const ImageOptions& options,
                         const std::function<bool()>& cancelled) const;

  std::string directory_;
  bool made_ = false;  // the directory, by us
  std::vector<uint64_t> numbers_;
  uint64_t next_ = 1;
};

}  // namespace stillframe

#endif  // STILLFRAME_CLI_IMAGE_SERIES_H_
