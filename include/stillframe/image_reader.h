// Reads an image. Trusts nothing in the file: every length, offset and count is checked before it
// is used.
#ifndef STILLFRAME_IMAGE_READER_H_
#define STILLFRAME_IMAGE_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/task_pool.h"
#include "stillframe/units.h"

namespace stillframe {

enum class PageKind : uint8_t {
  kData,   // stands in the file
  kZero,   // a range of zeros
  kLost,   // was there at the instant, could not be saved
  kFreed,  // stood in the file, and dedup freed it since a later image has another in its place
};

// A run of pages of one kind, in the order of their addresses.
struct ImageRun {
  AddressRange range;
  PageKind kind = PageKind::kZero;
  PageSource source = PageSource::kScanned;  // kData only
  std::string_view reason;                   // kLost only; lives as long as the reader
  // Which file of the chain it stands in: 0 for the image itself, 1 for its parent, and so on.
  size_t depth = 0;
};

// Names an image by what nobody can change in it unseen.
struct ImageName {
  std::array<uint8_t, 16> id = {};
  uint64_t index_checksum = 0;
};

// One file of a chain.
struct ChainFile {
  std::string path;
  std::array<uint8_t, 16> id = {};
  uint64_t index_checksum = 0;
  uint32_t format_version = 0;
  Bytes size;
  Bytes stored;  // of its blocks
  Pages pages;   // that stand in its blocks, of its own memory
  Pages in_parent;
  Pages freed;  // of `pages`, those that dedup has freed since
  bool has_hashes = false;
  std::vector<ImageName> stands_for;  // images that it was merged of
};

// 128-bit XXH3 of a page, seed 0.
struct PageHash {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const PageHash&) const = default;
};

struct ReadOptions {
  // Blocks that QueueRead asks for are decoded on these as well. Null: on the thread that reads.
  std::shared_ptr<TaskPool> workers = nullptr;
  // Gives each block of the image back to the file system once all its pages were read, and so
  // destroys it; a page that was given back can't be read again (kUsage). The file must be
  // writable, on a file system that can punch holes (kUnsupported), and open to nobody else
  // (kUsage). That it is no parent of an image which is still needed nobody looks after. Its own
  // parents are left as they are.
  bool punch = false;
};

// Reads of many pages that are done together. Made by ImageReader::Queue, which outlives it.
//
// Thread rule: one thread.
class PageQueue {
 public:
  PageQueue() = default;
  PageQueue(const PageQueue&) = delete;
  PageQueue& operator=(const PageQueue&) = delete;
  virtual ~PageQueue() = default;

  // Notes that the page at `page` (page-aligned) is to be read into `destination`, a page long,
  // which stays valid until Sync, and which no other page is to be read into. Nothing is read yet,
  // but for when so much is noted that memory is bounded by a Sync of its own. Errors: as
  // ImageReader::Read; then the page is not noted. Those of such a Sync as well, after which
  // nothing is.
  virtual Result<void> QueueRead(TargetAddress page, std::span<std::byte> destination) = 0;
  // Reads all that was noted: blocks that lie side by side in a file by one call, each block once
  // for all of its pages that were asked for. Errors: as ImageReader::Read; what stands in the
  // destinations is then of no meaning, and nothing is noted any more.
  virtual Result<void> Sync() = 0;
};

// Thread rule: const members from any thread.
class ImageReader {
 public:
  // Reads header, trailer, sections and index, and checks their checksums.
  // A difference to another image opens that as well, and that one's parent, and so on; each is
  // known by its id and the checksum of its index, and looked for under the path that the image
  // names and beside the image itself. All of them are locked (flock, shared) as long as this
  // lives, so that nothing is freed in them.
  // Errors: kDamaged (not an image, cut off, altered, a later version, a parent that is another
  // image or lacks a page: the message says which), kUsage (a parent that is not there, blocks of a
  // file are being freed), else as for open(2).
  static Result<std::unique_ptr<ImageReader>> Open(const std::string& path,
                                                   const ReadOptions& options = {});

  virtual ~ImageReader() = default;

  virtual const ImageMetadata& metadata() const = 0;
  virtual uint32_t format_version() const = 0;
  virtual std::array<uint8_t, 16> id() const = 0;
  virtual Bytes file_size() const = 0;
  // Counts by kind; `written` is the size of the file. Pages that stand in a parent are counted by
  // what they are there.
  virtual SinkCounters counters() const = 0;
  // The image itself, its parent, and so on.
  virtual std::span<const ChainFile> chain() const = 0;

  // The runs that overlap `range`, cut to it. Addresses that the image doesn't hold are left out.
  virtual std::vector<ImageRun> Runs(AddressRange range) const = 0;

  // Fills `to` with the memory from `address` on, any alignment. All of it is checked, by its block
  // or by its page's hash. Errors: kUsage for an address the image doesn't hold and for a page that
  // was freed, kInternal for a page that was lost, kDamaged.
  virtual Result<void> Read(TargetAddress address, std::span<std::byte> to) const = 0;
  // One page; `page` is page-aligned, `to` a page long.
  Result<void> ReadPage(TargetAddress page, std::span<std::byte> to) const {
    return Read(page, to);
  }
  // For many pages at a time. Any number of queues may be in use at once.
  virtual std::unique_ptr<PageQueue> Queue() const = 0;

  // The hash of a page of data; nothing for any other page, one that was freed included, or where
  // the file that holds it keeps none. The first call reads all that the file keeps.
  virtual std::optional<PageHash> HashOf(TargetAddress page) const = 0;

  // Reads the whole file, and all files of its chain: every checksum, all padding, and that the
  // pages account for all mappings.
  virtual Result<void> Verify() const = 0;
};

// What could not be saved, by address.
inline std::vector<RangeReason> LostRanges(const ImageReader& image) {
  std::vector<RangeReason> lost;
  for (const SavedMapping& mapping : image.metadata().mappings) {
    for (const ImageRun& run : image.Runs(mapping.saved)) {
      if (run.kind == PageKind::kLost) lost.push_back({run.range, std::string(run.reason)});
    }
  }
  return lost;
}

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_READER_H_
