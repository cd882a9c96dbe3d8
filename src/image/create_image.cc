// Where an image goes, and how it finds its parent again.
#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "image/image_writer.h"
#include "stillframe/image.h"
#include "store/store.h"

namespace stillframe {
namespace {

namespace fs = std::filesystem;

Result<ImageIdentity> NewIdentity() {
  ImageIdentity identity;
  if (getrandom(identity.id.data(), identity.id.size(), 0) !=
      static_cast<ssize_t>(identity.id.size())) {
    return FailErrno(errno, "getting random bytes for the image's id");
  }
  identity.created_unix_ns = static_cast<uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
  return identity;
}

bool IsSameFile(const std::string& a, const std::string& b) {
  struct stat first;
  struct stat second;
  return stat(a.c_str(), &first) == 0 && stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

// To replace a file of the chain would take from the image what it is a difference to.
Result<void> CheckNotReplaced(std::span<const ChainFile> needed, const std::string& path) {
  for (const ChainFile& file : needed) {
    if (path.empty() || !IsSameFile(file.path, path)) continue;
    return Fail(ErrorCode::kUsage,
                "writing the image " + path + ": it would replace " + file.path +
                    ", of which an image of its chain needs pages",
                "give it another name");
  }
  return {};
}

// By its name alone where both lie in one directory, so that the two can be moved together.
Result<std::string> PathFromImage(const std::string& parent, const std::string& image) {
  std::error_code error;
  const fs::path real = fs::canonical(parent, error);
  if (error) return FailErrno(error.value(), "finding out where " + parent + " is");
  if (image.empty()) return real.string();
  const fs::path directory = fs::canonical(fs::absolute(image).parent_path(), error);
  if (!error && directory == real.parent_path()) return real.filename().string();
  return real.string();
}

Result<std::unique_ptr<PageSink>> Create(const Output& output, ImageWriterOptions writer) {
  STILLFRAME_ASSIGN(const ImageIdentity identity, NewIdentity());
  STILLFRAME_ASSIGN(std::unique_ptr<Store> store, OpenStore(output));
  return ImageWriter::Create(std::move(store), identity, std::move(writer));
}

}  // namespace

Result<std::unique_ptr<PageSink>> CreateImage(const Output& output, const ImageOptions& options) {
  ImageWriterOptions writer{.image = options};
  if (options.parent) {
    if (options.parent->chain().size() >= kMostChainFiles) {
      return Fail(ErrorCode::kUsage,
                  "the chain of " + options.parent->chain().front().path + " has " +
                      std::to_string(kMostChainFiles) + " images already",
                  "stillframe merge makes one image of them");
    }
    STILLFRAME_TRY(CheckNotReplaced(options.parent->chain(), output.path));
    STILLFRAME_ASSIGN(writer.parent_path,
                      PathFromImage(options.parent->chain().front().path, output.path));
  }
  return Create(output, std::move(writer));
}

Result<std::unique_ptr<PageSink>> CreateMerged(const ImageReader& image, const Output& output,
                                               const ImageOptions& options) {
  // In its own place it may come.
  STILLFRAME_TRY(CheckNotReplaced(image.chain().subspan(1), output.path));
  const ChainFile& file = image.chain().front();
  ImageWriterOptions writer{.image = options};
  writer.stands_for.push_back({.id = file.id, .index_checksum = file.index_checksum});
  for (const ImageName& name : file.stands_for) {
    // Who merged one image that often has no child of the first ones any more.
    if (writer.stands_for.size() == kMaxStandsFor) break;
    writer.stands_for.push_back({.id = name.id, .index_checksum = name.index_checksum});
  }
  return Create(output, std::move(writer));
}

}  // namespace stillframe
