// Images that may be parents of one another, and what they need of each other.
#ifndef STILLFRAME_IMAGE_IMAGE_FAMILY_H_
#define STILLFRAME_IMAGE_IMAGE_FAMILY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "image/stored_image.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// Thread rule: one thread.
class ImageFamily {
 public:
  // Errors: as StoredImage::Open, with exclusive access; kDamaged for an image that lacks a page in
  // a parent.
  static Result<ImageFamily> Open(const std::vector<std::string>& paths);

  struct Member {
    std::unique_ptr<StoredImage> image;
    std::vector<size_t> parents;  // by number: all that could be taken for its parent
    bool is_parent = false;
    enum class Walk { kNotYet, kBelow, kDone } walk = Walk::kNotYet;  // of CheckOrder
    std::vector<AddressRange> wanted;  // of it, by those that have pages in it
    // Of each entry of its index a bit for each of its pages that an end of the chains needs. Empty
    // for such an end, which needs all of itself.
    std::vector<uint64_t> needed;
  };

  const std::vector<Member>& members() const { return members_; }
  // Nobody's parents.
  size_t ends() const;

 private:
  void FindParents();
  // That each parent is below an end, and no image below itself.
  Result<void> CheckOrder();
  Result<void> WalkDown(Member* member);
  // Notes which pages of it are needed, and what its parents have to give for that.
  Result<void> Need(Member* member);
  Result<void> NeedRange(Member* member, AddressRange range);
  void WantOfParents(const Member& member, AddressRange range);

  std::vector<Member> members_;
  std::vector<size_t> order_;  // each behind its parents
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_IMAGE_FAMILY_H_
