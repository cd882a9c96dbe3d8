// What the parent of an image that is being written has of a page.
#ifndef STILLFRAME_IMAGE_PARENT_PAGES_H_
#define STILLFRAME_IMAGE_PARENT_PAGES_H_

#include <memory>
#include <span>

#include "stillframe/error.h"
#include "stillframe/image.h"
#include "stillframe/image_reader.h"

namespace stillframe {

// Thread rule: any thread.
class ParentPages {
 public:
  // Errors: kUsage where pages shall be compared by hashes that some file of the parent doesn't
  // have.
  static Result<ParentPages> Create(std::shared_ptr<const ImageReader> image, Compare compare);

  // Whether the parent has the same page as data. `hash`: of `page`. Errors: as ImageReader::Read.
  Result<bool> Has(TargetAddress address, std::span<const std::byte> page,
                   const PageHash& hash) const;

  const ImageReader& image() const { return *image_; }

 private:
  ParentPages(std::shared_ptr<const ImageReader> image, Compare compare)
      : image_(std::move(image)), compare_(compare) {}

  std::shared_ptr<const ImageReader> image_;
  Compare compare_;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_PARENT_PAGES_H_
