#include "image/image_family.h"

#include <algorithm>
#include <span>
#include <utility>

#include "image/coverage.h"

namespace stillframe {

Result<ImageFamily> ImageFamily::Open(const std::vector<std::string>& paths) {
  ImageFamily family;
  for (const std::string& path : paths) {
    STILLFRAME_ASSIGN(auto image, StoredImage::Open(path, ImageFile::Access::kExclusive));
    image->DropMetadata();
    family.members_.push_back(
        {.image = std::move(image), .parents = {}, .wanted = {}, .needed = {}});
  }
  family.FindParents();
  STILLFRAME_TRY(family.CheckOrder());
  for (auto number = family.order_.rbegin(); number != family.order_.rend(); ++number) {
    STILLFRAME_TRY(family.Need(&family.members_[*number]));
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
  order_.push_back(static_cast<size_t>(member - members_.data()));
  return {};
}

void ImageFamily::WantOfParents(const Member& member, AddressRange range) {
  // One that lies elsewhere is nobody's to free from here.
  for (const size_t parent : member.parents) members_[parent].wanted.push_back(range);
}

Result<void> ImageFamily::Need(Member* member) {
  const std::span<const WireIndexEntry> entries = member->image->index().entries();
  if (!member->is_parent) {
    for (const WireIndexEntry& entry : entries) {
      if (KindOf(entry) == WireKind::kInParent) WantOfParents(*member, RangeOf(entry));
    }
    return {};
  }
  member->needed.resize(entries.size());
  std::vector<AddressRange> wanted = std::exchange(member->wanted, {});
  std::ranges::sort(wanted, {}, &AddressRange::begin);
  // Once each, however many want it: else copies of a long chain would take for ever.
  TargetAddress done;
  for (AddressRange range : wanted) {
    range.begin = std::max(range.begin, done);
    if (range.begin >= range.end) continue;
    STILLFRAME_TRY(NeedRange(member, range));
    done = range.end;
  }
  return {};
}

Result<void> ImageFamily::NeedRange(Member* member, AddressRange range) {
  const ImageIndex& index = member->image->index();
  TargetAddress next = range.begin;
  for (const WireIndexEntry& entry : index.From(range.begin)) {
    const AddressRange part = Intersect(RangeOf(entry), range);
    if (part.empty() || part.begin != next) break;
    if (KindOf(entry) == WireKind::kInParent) {
      WantOfParents(*member, part);
    } else if (IsData(entry)) {
      // Some of it may be freed already: for an image that was somebody's parent by then.
      const uint64_t skipped = ToPages(part.begin - RangeOf(entry).begin).count;
      member->needed[static_cast<size_t>(&entry - index.entries().data())] |=
          PageBits(skipped, part.pages().count);
    } else {
      break;
    }
    next = part.end;
  }
  if (next == range.end) return {};
  return member->image->file().Damaged("it lacks the page at " + Hex(next.value) +
                                       ", which another image has in it");
}

}  // namespace stillframe
