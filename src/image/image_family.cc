#include "image/image_family.h"

#include <algorithm>

#include "image/coverage.h"

namespace stillframe {

Result<ImageFamily> ImageFamily::Open(const std::vector<std::string>& paths) {
  ImageFamily family;
  for (const std::string& path : paths) {
    STILLFRAME_ASSIGN(auto image, StoredImage::Open(path, ImageFile::Access::kExclusive));
    image->DropMetadata();
    family.members_.push_back({.image = std::move(image), .parents = {}, .needed = {}});
  }
  family.FindParents();
  STILLFRAME_TRY(family.CheckOrder());
  for (Member& member : family.members_) {
    if (member.is_parent) member.needed.resize(member.image->index().entries().size());
  }
  for (const Member& member : family.members_) {
    if (member.is_parent) continue;
    for (const WireIndexEntry& entry : member.image->index().entries()) {
      if (KindOf(entry) != WireKind::kInParent) continue;
      STILLFRAME_TRY(family.NeedOfParents(member, RangeOf(entry)));
    }
  }
  return family;
}

size_t ImageFamily::ends() const {
  return static_cast<size_t>(
      std::ranges::count_if(members_, [](const Member& member) { return !member.is_parent; }));
}

// A copy of an image is as good a parent as the image: whichever a reader will find first, all of
// them keep what is needed.
void ImageFamily::FindParents() {
  for (Member& member : members_) {
    const auto& parent = member.image->contents().parent;
    if (!parent) continue;
    for (size_t i = 0; i < members_.size(); ++i) {
      if (&members_[i] == &member || !members_[i].image->contents().Is(parent->name)) continue;
      member.parents.push_back(i);
      members_[i].is_parent = true;
    }
  }
}

// Nobody writes such images, but they can be made; and whatever no end needs is freed.
Result<void> ImageFamily::CheckOrder() {
  for (Member& member : members_) {
    if (!member.is_parent) STILLFRAME_TRY(WalkDown(&member));
  }
  for (const Member& member : members_) {
    if (member.walk == Member::Walk::kDone) continue;
    return member.image->file().Damaged("it is a parent of its own parent");
  }
  return {};
}

Result<void> ImageFamily::WalkDown(Member* member) {
  if (member->walk == Member::Walk::kDone) return {};
  if (member->walk == Member::Walk::kBelow) {
    return member->image->file().Damaged("it is a parent of its own parent");
  }
  member->walk = Member::Walk::kBelow;
  for (const size_t parent : member->parents) STILLFRAME_TRY(WalkDown(&members_[parent]));
  member->walk = Member::Walk::kDone;
  return {};
}

Result<void> ImageFamily::NeedOfParents(const Member& member, AddressRange range) {
  // One that lies elsewhere is nobody's to free from here.
  for (const size_t parent : member.parents) STILLFRAME_TRY(Need(parent, range));
  return {};
}

Result<void> ImageFamily::Need(size_t number, AddressRange range) {
  Member& member = members_[number];
  const StoredImage& image = *member.image;
  const auto entries = image.index().From(range.begin);
  TargetAddress next = range.begin;
  for (const WireIndexEntry& entry : entries) {
    const AddressRange part = Intersect(RangeOf(entry), range);
    if (part.empty() || part.begin != next) break;
    next = part.end;
    if (KindOf(entry) == WireKind::kInParent) {
      STILLFRAME_TRY(NeedOfParents(member, part));
      continue;
    }
    const uint64_t skipped = ToPages(part.begin - RangeOf(entry).begin).count;
    if (!IsData(entry)) {
      next = part.begin;
      break;
    }
    // Some of it may be freed already: for an image that was somebody's parent by then.
    member.needed[static_cast<size_t>(&entry - image.index().entries().data())] |=
        PageBits(skipped, part.pages().count);
  }
  if (next == range.end) return {};
  return image.file().Damaged("it lacks the page at " + Hex(next.value) +
                              ", which another image has in it");
}

}  // namespace stillframe
