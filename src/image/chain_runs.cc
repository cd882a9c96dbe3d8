#include "image/chain_runs.h"

#include <algorithm>
#include <limits>
#include <string>

#include "image/coverage.h"

namespace stillframe {
namespace {

class Flattener {
 public:
  explicit Flattener(std::span<const std::unique_ptr<StoredImage>> images) : images_(images) {}

  Result<std::vector<ChainRun>> Run() {
    // What is not found yet, by address: at first all that the image tells of.
    std::vector<AddressRange> wanted;
    STILLFRAME_TRY(TakeAll(&wanted));
    for (uint32_t depth = 1; !wanted.empty(); ++depth) {
      std::vector<AddressRange> deeper;
      for (const AddressRange range : wanted) STILLFRAME_TRY(Take(depth, range, &deeper));
      wanted = std::move(deeper);
    }
    if (images_.size() > 1) std::ranges::sort(runs_, {}, &ChainRun::begin);
    return std::move(runs_);
  }

 private:
  Result<void> TakeAll(std::vector<AddressRange>* deeper) {
    const std::span<const WireIndexEntry> entries = images_.front()->index().entries();
    runs_.reserve(entries.size());
    for (const WireIndexEntry& entry : entries) {
      STILLFRAME_TRY(Add(0, entry, RangeOf(entry), deeper));
    }
    return {};
  }

  // Finds `range`, which the image before has in its parent, in the parent at `depth`.
  Result<void> Take(uint32_t depth, AddressRange range, std::vector<AddressRange>* deeper) {
    // An index with such pages is refused where it names no parent.
    const StoredImage& image = *images_[depth];
    for (const WireIndexEntry& entry : image.index().From(range.begin)) {
      if (range.empty() || entry.address > range.begin.value) break;
      const AddressRange part = Intersect(RangeOf(entry), range);
      const bool held = IsData(entry) || KindOf(entry) == WireKind::kInParent;
      if (!held) return NotThere(depth, range.begin, "which it does not hold");
      STILLFRAME_TRY(Add(depth, entry, part, deeper));
      range.begin = part.end;
    }
    if (!range.empty()) return NotThere(depth, range.begin, "which it does not hold");
    return {};
  }

  Result<void> Add(uint32_t depth, const WireIndexEntry& entry, AddressRange part,
                   std::vector<AddressRange>* deeper) {
    if (KindOf(entry) == WireKind::kInParent) {
      const bool continues = !deeper->empty() && deeper->back().end == part.begin;
      continues ? static_cast<void>(deeper->back().end = part.end) : deeper->push_back(part);
      return {};
    }
    const StoredImage& image = *images_[depth];
    const auto place = static_cast<size_t>(&entry - image.index().entries().data());
    if (place > std::numeric_limits<uint32_t>::max()) {
      return image.file().Damaged("its index has more entries than this program can hold");
    }
    runs_.push_back({.begin = part.begin.value,
                     .end = part.end.value,
                     .entry = static_cast<uint32_t>(place),
                     .depth = static_cast<uint16_t>(depth),
                     .plain_data = IsData(entry) && image.freed().PagesOf(entry) == 0});
    return {};
  }

  tl::unexpected<Error> NotThere(uint32_t depth, TargetAddress at, const std::string& why) const {
    auto failure =
        images_.front()->file().Damaged("the page at " + Hex(at.value) + " stands in its parent " +
                                        images_[depth]->file().path() + ", " + why);
    failure.value().address = at;
    return failure;
  }

  const std::span<const std::unique_ptr<StoredImage>> images_;
  std::vector<ChainRun> runs_;
};

}  // namespace

Result<std::vector<ChainRun>> FlattenChain(std::span<const std::unique_ptr<StoredImage>> images) {
  return Flattener(images).Run();
}

}  // namespace stillframe
