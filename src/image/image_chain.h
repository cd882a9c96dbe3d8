// An image, its parent, that one's parent, and so on.
#ifndef STILLFRAME_IMAGE_IMAGE_CHAIN_H_
#define STILLFRAME_IMAGE_IMAGE_CHAIN_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "image/chain_runs.h"
#include "image/stored_image.h"
#include "stillframe/error.h"
#include "stillframe/image.h"
#include "stillframe/units.h"

namespace stillframe {

// Thread rule: const members from any thread.
class ImageChain {
 public:
  // As many files as a chain may have.
  static constexpr size_t kMostImages = kMostChainFiles;
  static_assert(kMostImages <= UINT16_MAX, "a run keeps its file's number in 16 bits");

  // `access`: to the image itself; its parents are always read with others. Errors: as
  // StoredImage::Open; kDamaged for a parent that is another image, or a chain that has no end.
  static Result<ImageChain> Open(const std::string& path, ImageFile::Access access);

  size_t size() const { return images_.size(); }
  const StoredImage& image(size_t depth) const { return *images_[depth]; }
  const StoredImage& image(const ChainRun& run) const { return *images_[run.depth]; }
  const WireIndexEntry& entry(const ChainRun& run) const {
    return image(run).index().entries()[run.entry];
  }
  // By address; they do not overlap.
  std::span<const ChainRun> runs() const { return runs_; }
  // Those from the first one on that ends behind `address`.
  std::span<const ChainRun> From(TargetAddress address) const;

  // Whether the part of the run can be read. Errors: kInternal for a page that was lost, kUsage for
  // one that dedup has freed.
  Result<void> CheckReadable(const ChainRun& run, AddressRange part) const;
  // The pages of `part` of the run in its entry's block, a bit each, which is one of data.
  uint64_t PagesOf(const ChainRun& run, AddressRange part) const;
  // A kUsage for an address that the image does not hold.
  static tl::unexpected<Error> NotHeld(TargetAddress address);
  // A kUsage for a page whose block went when the last of its pages was read (ReadOptions::punch).
  static tl::unexpected<Error> GivenBack(TargetAddress page);

 private:
  static constexpr size_t kMarkedRuns = 16;

  Result<void> AddParent(const ParentReference& parent);

  std::vector<std::unique_ptr<StoredImage>> images_;
  std::vector<ChainRun> runs_;
  // The end of every kMarkedRuns-th of them: few enough to stay in the CPU's cache, where most
  // steps of a search among a million runs would each wait for memory.
  std::vector<uint64_t> marks_;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_CHAIN_H_
