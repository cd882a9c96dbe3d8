// Writes images of version 2 straight from docs/image-format.md, with nothing of the writer that
// the reader is otherwise tested with: a second opinion on both.
#ifndef STILLFRAME_TESTS_FUZZ_HAND_IMAGE_H_
#define STILLFRAME_TESTS_FUZZ_HAND_IMAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "image/freed_wire.h"
#include "image/wire.h"
#include "stillframe/page_sink.h"

namespace stillframe {

class HandImage {
 public:
  // `id`: the first byte of the image's id; the others are 0.
  explicit HandImage(uint8_t id, uint32_t version = kFormatVersion) : version_(version) {
    id_[0] = id;
  }

  // Adds a block with these pages, raw or encoded; returns its number. No page stands in it yet.
  size_t AddBlock(const ByteVector& pages, WireEncoding encoding = WireEncoding::kRaw);
  // `pages` pages from `address` on stand in the block, from its page `first` on.
  void Place(uint64_t address, size_t block, uint64_t first, uint64_t pages,
             PageSource source = PageSource::kScanned);
  // A block that only these pages stand in.
  void AddData(uint64_t address, const ByteVector& pages,
               WireEncoding encoding = WireEncoding::kRaw) {
    Place(address, AddBlock(pages, encoding), 0, pages.size() / kPageSize.count);
  }
  void Add(WireKind kind, uint64_t address, uint64_t pages);

  void SetParent(const WireImageName& name, std::string path) {
    parent_ = name;
    parent_path_ = std::move(path);
  }
  void KeepHashes() { hashes_ = true; }
  void AddStandsFor(const WireImageName& name) { stands_for_.push_back(name); }

  // The image. One mapping for each range of pages without a gap; blocks without pages are
  // superseded.
  ByteVector Build();
  // Of what was built.
  WireImageName name() const { return {.id = id_, .index_checksum = index_checksum_}; }
  uint64_t offset(size_t block) const { return blocks_[block].offset; }
  uint64_t stored_bytes(size_t block) const { return blocks_[block].stored.size(); }

  // The file beside the image that says what of it was freed, with the checksums it should have.
  struct Freed {
    size_t block = 0;
    uint64_t pages = 0;  // a bit each
  };
  ByteVector FreedFile(const std::vector<Freed>& freed, bool complete) const;

 private:
  struct Block {
    ByteVector pages;
    ByteVector stored;
    WireEncoding encoding = WireEncoding::kRaw;
    uint64_t offset = 0;
    bool used = false;
  };
  struct Entry {
    WireIndexEntry wire = {};
    std::optional<size_t> block;
  };

  std::vector<SavedMapping> Mappings() const;

  const uint32_t version_;
  std::array<uint8_t, 16> id_ = {};
  std::vector<Block> blocks_;
  std::vector<Entry> entries_;
  std::optional<WireImageName> parent_;
  std::string parent_path_;
  std::vector<WireImageName> stands_for_;
  bool hashes_ = false;
  uint64_t next_offset_ = kHeaderSize;
  uint64_t index_checksum_ = 0;
};

// Raw, LZ4 and Zstandard blocks side by side, of which two are used in parts, each by two entries
// that are far from each other, and one not at all. From 0x10000 on three pages, two, one, two of
// zeros and one that is lost; from 0x40000 on three and one.
HandImage PackedImage();
// A difference to it that names `path` as its parent's: two pages there, one of its own.
HandImage DifferenceImage(std::string path);

}  // namespace stillframe

#endif  // STILLFRAME_TESTS_FUZZ_HAND_IMAGE_H_
