#include "image/image_chain.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "image/coverage.h"

namespace stillframe {
namespace {

namespace fs = std::filesystem;

// Where a parent may be, in the order in which it is looked for: as it is named from the image's
// directory, and under its name in that directory. Where the image was opened by a link, the same
// from where it really is.
std::vector<std::string> PlacesOf(const std::string& image, const std::string& parent) {
  std::vector<fs::path> directories{fs::path(image).parent_path()};
  std::error_code failed;
  const fs::path real = fs::canonical(image, failed);
  if (!failed) directories.push_back(real.parent_path());
  std::vector<std::string> places;
  for (const fs::path& directory : directories) {
    for (const fs::path& name : {fs::path(parent), fs::path(parent).filename()}) {
      if (name.empty()) continue;
      const std::string place = directory / name;
      if (std::ranges::find(places, place) == places.end()) places.push_back(place);
    }
  }
  return places;
}

bool IsMissing(const Error& error) {
  return error.system_errno == ENOENT || error.system_errno == ENOTDIR;
}

// What went wrong with a parent, told of the image that needs it.
tl::unexpected<Error> OfParent(const std::string& image, const std::string& parent, Error error) {
  error.message =
      "reading the image " + image + ", which needs its parent " + parent + ": " + error.message;
  return tl::unexpected(std::move(error));
}

tl::unexpected<Error> Unreadable(ErrorCode code, TargetAddress at, const std::string& why) {
  auto failure = Fail(code, "reading the image's memory: the page at " + Hex(at.value) + " " + why);
  failure.value().address = at;
  return failure;
}

}  // namespace

Result<ImageChain> ImageChain::Open(const std::string& path, ImageFile::Access access) {
  ImageChain chain;
  STILLFRAME_ASSIGN(auto image, StoredImage::Open(path, access));
  chain.images_.push_back(std::move(image));
  while (const auto& parent = chain.images_.back()->contents().parent) {
    STILLFRAME_TRY(chain.AddParent(*parent));
  }
  STILLFRAME_ASSIGN(chain.runs_, FlattenChain(chain.images_));
  for (size_t i = kMarkedRuns; i <= chain.runs_.size(); i += kMarkedRuns) {
    chain.marks_.push_back(chain.runs_[i - 1].end);
  }
  return chain;
}

Result<void> ImageChain::AddParent(const ParentReference& parent) {
  const ImageFile& child = images_.back()->file();
  if (images_.size() == kMostImages) {
    return images_.front()->file().Damaged("its chain of parents has more than " +
                                           std::to_string(kMostImages) + " images");
  }
  // The first place that has the parent; else what was wrong at the first that has a file.
  std::optional<Error> wrong;
  for (const std::string& place : PlacesOf(child.path(), parent.path)) {
    auto image = StoredImage::Open(place, ImageFile::Access::kShared);
    if (image && !(*image)->contents().Is(parent.name)) {
      image = (*image)->file().Damaged("it is another image than the one that is needed");
    }
    if (!image) {
      if (!wrong || (IsMissing(*wrong) && !IsMissing(image.error()))) wrong = image.error();
      continue;
    }
    const auto same = [&](const auto& other) { return other->file().IsSameAs((*image)->file()); };
    if (std::ranges::any_of(images_, same)) {
      return child.Damaged("it is a parent of its own parent " + place);
    }
    (*image)->DropMetadata();
    images_.push_back(*std::move(image));
    return {};
  }
  // A path that ends in a slash names no file.
  if (!wrong) return child.Damaged("the path of its parent, " + parent.path + ", is none");
  return OfParent(child.path(), parent.path, *wrong);
}

std::span<const ChainRun> ImageChain::From(TargetAddress address) const {
  const auto mark = std::ranges::upper_bound(marks_, address.value);
  const auto behind =
      std::span(runs_).subspan(static_cast<size_t>(mark - marks_.begin()) * kMarkedRuns);
  const auto among = behind.first(std::min(kMarkedRuns, behind.size()));
  const auto first = std::ranges::partition_point(
      among, [address](const ChainRun& run) { return run.end <= address.value; });
  return behind.subspan(static_cast<size_t>(first - among.begin()));
}

Result<void> ImageChain::CheckReadable(const ChainRun& run, AddressRange part) const {
  const WireIndexEntry& of = entry(run);
  if (KindOf(of) == WireKind::kLost) {
    return Unreadable(ErrorCode::kInternal, part.begin,
                      "was lost (" + image(run).index().reason(of) + ")");
  }
  const uint64_t freed = IsData(of) ? image(run).freed().PagesOf(of) : 0;
  if (freed == 0 || (freed & PagesOf(run, part)) == 0) return {};
  const TargetAddress first = part.begin - Bytes{part.begin.value % kPageSize.count};
  for (TargetAddress at = first; at < part.end; at = at + kPageSize) {
    if ((freed & PagesOf(run, {at, at + kPageSize})) == 0) continue;
    return Unreadable(ErrorCode::kUsage, at,
                      "was freed by dedup, as a later image has another in its place");
  }
  return {};
}

uint64_t ImageChain::PagesOf(const ChainRun& run, AddressRange part) const {
  const WireIndexEntry& of = entry(run);
  const uint64_t first = (part.begin.value - of.address) / kPageSize.count;
  const uint64_t last = (part.end.value - 1 - of.address) / kPageSize.count;
  return PageBits(of.first_page + first, last - first + 1);
}

tl::unexpected<Error> ImageChain::NotHeld(TargetAddress address) {
  auto failure = Fail(ErrorCode::kUsage,
                      "reading the image's memory: it holds no page at " + Hex(address.value),
                      "stillframe info lists what it holds");
  failure.value().address = address;
  return failure;
}

tl::unexpected<Error> ImageChain::GivenBack(TargetAddress page) {
  return Unreadable(ErrorCode::kUsage, page, "was read before, and its block was given back");
}

}  // namespace stillframe
