// Images for the tests of the format, small and the same every time, and ways to damage them
// knowingly.
#ifndef STILLFRAME_TESTS_FUZZ_IMAGE_SAMPLES_H_
#define STILLFRAME_TESTS_FUZZ_IMAGE_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "image/image_writer.h"
#include "image/wire.h"
#include "stillframe/image_reader.h"
#include "stillframe/page_sink.h"
#include "store/store.h"

namespace stillframe {

// Keeps what is written in memory, and what was published apart from it.
class MemoryStore final : public Store {
 public:
  // `published`: filled by Publish; outlives the store.
  explicit MemoryStore(ByteVector* published) : published_(published) {}
  Result<void> Append(std::span<const iovec> parts) override;
  Result<void> Publish() override;
  void Interrupt() override {}

 private:
  ByteVector* const published_;
  ByteVector bytes_;
};

// A file without a name that has a path as long as this lives.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::byte> bytes);
  std::string path() const;
  void Write(uint64_t offset, std::span<const std::byte> bytes);
  void Resize(uint64_t size);

 private:
  UniqueFd fd_;
};

// A mapping [begin, begin + pages) that is saved whole.
SavedMapping WholeMapping(uint64_t begin, uint64_t pages, std::string name);

// A page that is not zero and has not its like elsewhere.
ByteVector PatternPages(uint64_t seed, uint64_t pages);

// Writes an image with id 00 01 .. 0f and creation time 0. `metadata` goes to Finish after `fill`
// has told of all pages.
ByteVector MakeImage(const ImageMetadata& metadata, const std::function<void(PageSink&)>& fill);

// One page of data, five of zeros, one lost, in two mappings, and a third that was left out; every
// kind of section has something in it.
ImageMetadata SmallMetadata();
ByteVector SmallImage();

// Several blocks of each source, out of order, with zeros between them.
ByteVector LargerImage();

// Pages that were told of again: a block of which no page holds any more, one of which some do, a
// page of a mapping that went, and one that became zero.
ByteVector RewrittenImage();

// An image of nothing at all.
ByteVector EmptyImage();

// Where in a well-formed image things stand.
WireTrailer TrailerOf(std::span<const std::byte> image);
std::vector<WireSection> TableOf(std::span<const std::byte> image);
WireSection SectionOf(std::span<const std::byte> image, SectionType type);

template <class T>
T Load(std::span<const std::byte> from, uint64_t offset) {
  T value;
  std::memcpy(&value, from.data() + offset, sizeof(T));
  return value;
}
template <class T>
void StoreAt(ByteVector& to, uint64_t offset, const T& value) {
  std::memcpy(to.data() + offset, &value, sizeof(T));
}

// Makes every checksum right that can be found, so that what lies behind them is reached. With
// `blocks` those of the pages too. For any bytes; those that are no image stay as they are.
void RepairChecksums(ByteVector& image, bool blocks);

// Replaces the sections (and so the table) of `image`, whose blocks stay: lengths, offsets and
// checksums are made to fit.
struct RawSection {
  uint32_t type = 0;
  uint32_t flags = 0;
  ByteVector bytes;
};
std::vector<RawSection> SectionsOf(std::span<const std::byte> image);
ByteVector WithSections(std::span<const std::byte> image, std::span<const RawSection> sections);

}  // namespace stillframe

#endif  // STILLFRAME_TESTS_FUZZ_IMAGE_SAMPLES_H_
