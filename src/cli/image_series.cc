#include "cli/image_series.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

#include "base/fail_point.h"
#include "image/freed_wire.h"
#include "image/image_copy.h"
#include "image/image_directory.h"
#include "stillframe/image_reader.h"

namespace stillframe {
namespace {

constexpr std::string_view kPrefix = "image-";
constexpr size_t kDigits = 6;

std::string NameOf(uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < kDigits) digits.insert(0, kDigits - digits.size(), '0');
  return std::string(kPrefix) + digits;
}

// The number of a file that we have named.
std::optional<uint64_t> NumberOf(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const std::string_view digits = std::string_view(name).substr(kPrefix.size());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool ours =
      error == std::errc() && number > 0 && number < UINT64_MAX && NameOf(number) == name;
  return ours ? std::optional(number) : std::nullopt;
}

Result<void> Remove(const std::string& path) {
  if (unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return FailErrno(errno, "removing " + path, {}, ErrorCode::kOutput);
}

}  // namespace

Result<ImageSeries> ImageSeries::Open(const std::string& directory) {
  const bool made = mkdir(directory.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) {
    return FailErrno(errno, "making the directory " + directory, {}, ErrorCode::kUsage);
  }
  STILLFRAME_ASSIGN(const std::vector<std::string> images, ListImages(directory));
  ImageSeries series(directory);
  series.made_ = made;
  for (const std::string& path : images) {
    if (const auto number = NumberOf(path)) series.numbers_.push_back(*number);
  }
  std::ranges::sort(series.numbers_);
  if (!series.numbers_.empty()) series.next_ = series.numbers_.back() + 1;
  // Of a watch that was killed, on a file system without unnamed files: see store/new_file.h.
  STILLFRAME_TRY(Remove(series.next() + ".partial"));
  return series;
}

void ImageSeries::LeaveNothing() const {
  if (made_) rmdir(directory_.c_str());  // not where something is in it
}

std::string ImageSeries::PathOf(uint64_t number) const { return directory_ + "/" + NameOf(number); }

std::optional<std::string> ImageSeries::newest() const {
  if (numbers_.empty()) return std::nullopt;
  return PathOf(numbers_.back());
}

std::string ImageSeries::next() const { return PathOf(next_); }

Result<size_t> ImageSeries::Prune(size_t keep, const ImageOptions& options,
                                  const std::function<bool()>& cancelled) {
  if (numbers_.size() < 2 * keep) return size_t{0};
  size_t old = numbers_.size() - keep;
  for (;; ++old) {
    const auto whole = MakeWhole(PathOf(numbers_[old]), options, cancelled);
    if (whole) break;
    // One that dedup has thinned out, or that somebody took away: the newest is never thinned.
    const bool hopeless = whole.error().code == ErrorCode::kUsage && old + 1 < numbers_.size();
    if (!hopeless) return tl::unexpected(whole.error());
  }
  FailPoint("watch.merged");
  // The newest of them first: of what is left when we are killed here, each still has its parent.
  for (size_t left = old; left > 0; --left) {
    const std::string path = PathOf(numbers_[left - 1]);
    STILLFRAME_TRY(Remove(path));
    FailPoint("watch.removed");
    STILLFRAME_TRY(Remove(path + std::string(kFreedSuffix)));
  }
  numbers_.erase(numbers_.begin(), numbers_.begin() + static_cast<ptrdiff_t>(old));
  return old;
}

Result<void> ImageSeries::MakeWhole(const std::string& path, const ImageOptions& options,
                                    const std::function<bool()>& cancelled) const {
  STILLFRAME_ASSIGN(const std::unique_ptr<ImageReader> image,
                    ImageReader::Open(path, {.workers = options.workers}));
  if (image->chain().size() == 1) return {};
  STILLFRAME_ASSIGN(const auto sink, CreateMerged(*image, {.path = path, .force = true}, options));
  return CopyImageTo(*image, *sink, cancelled);
}

}  // namespace stillframe
