#include "peer/core/core_layout.h"

#include <algorithm>
#include <string>

#include "image/coverage.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
// So that a mapping of a page or two need not move at once.
constexpr uint64_t kLeastRoom = KiB(64).count;
// Nothing grows by more between two looks, and reserved terabytes need none at all.
constexpr uint64_t kMostRoom = GiB(1).count;

uint64_t RoundUp(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

uint64_t RoomFor(AddressRange range) {
  return std::clamp(RoundUp(range.size().count / 8), kLeastRoom, kMostRoom);
}

bool ByBegin(const FilePlace& a, const FilePlace& b) {
  return a.addresses.begin < b.addresses.begin;
}

void Join(AddressRange range, std::vector<AddressRange>* ranges) {
  if (!ranges->empty() && ranges->back().end == range.begin) {
    ranges->back().end = range.end;
  } else {
    ranges->push_back(range);
  }
}

}  // namespace

std::vector<FilePlace>::const_iterator CoreLayout::At(TargetAddress address) const {
  return std::partition_point(places_.begin(), places_.end(), [address](const FilePlace& place) {
    return place.addresses.end <= address;
  });
}

bool CoreLayout::InOnePlace(AddressRange range) const {
  const auto place = At(range.begin);
  return place != places_.end() && place->addresses.Contains(range);
}

std::optional<FilePlace> CoreLayout::Find(AddressRange range) const {
  const auto place = At(range.begin);
  if (range.empty() || place == places_.end() || !place->addresses.Overlaps(range)) {
    return std::nullopt;
  }
  return place->Part(Intersect(place->addresses, range));
}

bool CoreLayout::Holds(std::span<const SavedMapping> mappings) const {
  Bytes saved;
  for (const SavedMapping& mapping : mappings) {
    if (!mapping.saved.empty() && !InOnePlace(mapping.saved)) return false;
    saved += mapping.saved.size();
  }
  Bytes placed;
  for (const FilePlace& place : places_) placed += place.addresses.size();
  return settled_ && saved == placed;
}

Result<void> CoreLayout::Expect(std::span<const SavedMapping> mappings, Expectation expectation) {
  if (settled_) return Fail(ErrorCode::kInternal, "laying out the core: it is settled already");
  if (const auto wrong = CheckMappings(mappings)) {
    return Fail(ErrorCode::kInternal, "laying out the core: " + *wrong);
  }
  std::vector<AddressRange> saved;
  std::vector<AddressRange> homeless;
  for (const SavedMapping& mapping : mappings) {
    if (mapping.saved.empty()) continue;
    Join(mapping.saved, &saved);
    if (!InOnePlace(mapping.saved)) Join(mapping.saved, &homeless);
  }
  TakeOut(homeless);
  const bool settled = expectation == Expectation::kSettled;
  STILLFRAME_TRY(Append(homeless, !settled));
  if (settled) CutTo(saved);
  settled_ = settled;
  return {};
}

Result<void> CoreLayout::MakeRoomFor(AddressRange range) {
  while (!range.empty()) {
    const std::optional<FilePlace> found = Find(range);
    const TargetAddress begin = found ? found->addresses.begin : range.end;
    if (range.begin < begin) {
      const AddressRange missing{range.begin, begin};
      STILLFRAME_TRY(Append({&missing, 1}, true));
    }
    range.begin = found ? found->addresses.end : range.end;
  }
  return {};
}

void CoreLayout::TakeOut(std::span<const AddressRange> ranges) {
  if (ranges.empty()) return;
  std::vector<FilePlace> left;
  auto range = ranges.begin();
  for (const FilePlace& place : places_) {
    TargetAddress at = place.addresses.begin;
    while (range != ranges.end() && range->end <= at) ++range;
    for (auto r = range; r != ranges.end() && r->begin < place.addresses.end; ++r) {
      const AddressRange taken = Intersect(*r, place.addresses);
      if (at < taken.begin) left.push_back(place.Part({at, taken.begin}));
      former_.push_back(place.Part(taken));
      at = taken.end;
    }
    if (at < place.addresses.end) left.push_back(place.Part({at, place.addresses.end}));
  }
  places_ = std::move(left);
}

Result<void> CoreLayout::Append(std::span<const AddressRange> ranges, bool room) {
  std::vector<AddressRange> taken;  // what no room may reach into
  taken.reserve(places_.size() + ranges.size());
  for (const FilePlace& place : places_) taken.push_back(place.addresses);
  taken.insert(taken.end(), ranges.begin(), ranges.end());
  std::ranges::sort(taken, {}, &AddressRange::begin);

  const size_t before = places_.size();
  for (const AddressRange range : ranges) {
    AddressRange wide = range;
    if (room) {
      const auto self = std::ranges::lower_bound(taken, range.begin, {}, &AddressRange::begin);
      const TargetAddress low = self == taken.begin() ? TargetAddress{0} : std::prev(self)->end;
      const TargetAddress high =
          std::next(self) == taken.end() ? TargetAddress{UINT64_MAX} : std::next(self)->begin;
      // Two that grow towards each other share what lies between them.
      const auto half = [](Bytes gap) { return gap.count / 2 / kPage * kPage; };
      wide.begin = range.begin - Bytes{std::min(RoomFor(range), half(range.begin - low))};
      wide.end = range.end + Bytes{std::min(RoomFor(range), half(high - range.end))};
    }
    if (wide.size().count > kMostBytes - std::min(end_, kMostBytes)) {
      return Fail(ErrorCode::kUnsupported,
                  "laying out the core: more than 256 TiB would have to stand in it",
                  "--filter leaves mappings out");
    }
    places_.push_back({wide, end_});
    end_ += wide.size().count;
  }
  std::inplace_merge(places_.begin(), places_.begin() + static_cast<ptrdiff_t>(before),
                     places_.end(), ByBegin);
  return {};
}

void CoreLayout::CutTo(std::span<const AddressRange> saved) {
  std::vector<FilePlace> cut;
  auto place = places_.begin();
  for (const AddressRange range : saved) {
    while (place != places_.end() && place->addresses.end <= range.begin) ++place;
    for (auto p = place; p != places_.end() && p->addresses.begin < range.end; ++p) {
      cut.push_back(p->Part(Intersect(p->addresses, range)));
      contents_end_ = std::max(contents_end_, cut.back().end());
    }
  }
  places_ = std::move(cut);
}

}  // namespace stillframe
