#include "hand_image.h"

#include <lz4.h>
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>

#include "image/metadata_encoder.h"
#include "image_samples.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr uint64_t kSampleBase = 0x10000;

uint64_t Xxh3(const ByteVector& bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

template <class T>
void Append(ByteVector& to, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

// With its last field, which is the checksum of those before it.
template <class T>
void AppendChecked(ByteVector& to, T value) {
  value.checksum = XXH3_64bits(&value, sizeof(T) - sizeof(uint64_t));
  Append(to, value);
}

ByteVector Encoded(const ByteVector& pages, WireEncoding encoding) {
  if (encoding == WireEncoding::kRaw) return pages;
  ByteVector to(2 * pages.size() + 1000);
  const auto capacity = to.size();
  const auto size =
      encoding == WireEncoding::kLz4
          ? static_cast<size_t>(LZ4_compress_default(
                reinterpret_cast<const char*>(pages.data()), reinterpret_cast<char*>(to.data()),
                static_cast<int>(pages.size()), static_cast<int>(capacity)))
          : ZSTD_compress(to.data(), capacity, pages.data(), pages.size(), 1);
  // A test that asks for what can't be encoded has nothing to say.
  if (size == 0 || size >= pages.size()) std::abort();
  to.resize(size);
  return to;
}

}  // namespace

size_t HandImage::AddBlock(const ByteVector& pages, WireEncoding encoding) {
  blocks_.push_back({.pages = pages,
                     .stored = Encoded(pages, encoding),
                     .encoding = encoding,
                     .offset = next_offset_});
  next_offset_ += blocks_.back().stored.size();
  return blocks_.size() - 1;
}

void HandImage::Place(uint64_t address, size_t block, uint64_t first, uint64_t pages,
                      PageSource source) {
  Block& in = blocks_[block];
  in.used = true;
  Entry entry{.wire = {}, .block = block};
  entry.wire.address = address;
  entry.wire.pages = pages;
  entry.wire.file_offset = in.offset;
  entry.wire.stored_bytes = in.stored.size();
  entry.wire.checksum = Xxh3(in.stored);
  entry.wire.kind = static_cast<uint8_t>(WireKind::kData);
  entry.wire.source = static_cast<uint8_t>(source);
  entry.wire.encoding = static_cast<uint8_t>(in.encoding);
  if (version_ > 1) {
    entry.wire.first_page = static_cast<uint16_t>(first);
    entry.wire.block_pages = static_cast<uint16_t>(in.pages.size() / kPage);
  }
  entries_.push_back(entry);
}

void HandImage::Add(WireKind kind, uint64_t address, uint64_t pages) {
  Entry entry;
  entry.wire.address = address;
  entry.wire.pages = pages;
  entry.wire.kind = static_cast<uint8_t>(kind);
  entries_.push_back(entry);
}

std::vector<SavedMapping> HandImage::Mappings() const {
  std::vector<SavedMapping> mappings;
  for (const Entry& entry : entries_) {
    if (mappings.empty() || mappings.back().saved.end.value != entry.wire.address) {
      mappings.emplace_back();
      mappings.back().saved.begin = {entry.wire.address};
    }
    mappings.back().saved.end = {entry.wire.end()};
    mappings.back().mapping.range = mappings.back().saved;
  }
  return mappings;
}

ByteVector HandImage::Build() {
  std::ranges::sort(entries_, {}, [](const Entry& entry) { return entry.wire.address; });
  ByteVector image;
  AppendChecked(image, WireHeader{.magic = kHeaderMagic,
                                  .version = version_,
                                  .header_size = kHeaderSize,
                                  .id = id_,
                                  .page_size = kPage,
                                  .reserved = 0,
                                  .created_unix_ns = 0,
                                  .checksum = 0});
  image.resize(kHeaderSize);
  for (const Block& block : blocks_) {
    image.insert(image.end(), block.stored.begin(), block.stored.end());
  }
  ByteVector table;
  const auto add = [&](SectionType type, const ByteVector& bytes, uint32_t flags = 0) {
    Append(table, WireSection{.type = static_cast<uint32_t>(type),
                              .flags = flags,
                              .offset = image.size(),
                              .length = bytes.size(),
                              .checksum = Xxh3(bytes)});
    image.insert(image.end(), bytes.begin(), bytes.end());
  };
  ByteVector index;
  ByteVector hashes;
  ByteVector superseded;
  for (const Entry& entry : entries_) {
    Append(index, entry.wire);
    for (uint64_t i = 0; entry.block && i < entry.wire.pages; ++i) {
      const auto* page = blocks_[*entry.block].pages.data() + (entry.wire.first_page + i) * kPage;
      const XXH128_hash_t hash = XXH3_128bits(page, kPage);
      Append(hashes, WirePageHash{.low = hash.low64, .high = hash.high64});
    }
  }
  for (const Block& block : blocks_) {
    if (!block.used) {
      Append(superseded, WireSuperseded{.file_offset = block.offset,
                                        .stored_bytes = block.stored.size(),
                                        .checksum = Xxh3(block.stored)});
    }
  }
  add(SectionType::kProcess, EncodeProcess({}));
  add(SectionType::kThreads, EncodeThreads({}));
  add(SectionType::kMappings, EncodeMappings(Mappings()));
  add(SectionType::kAuxv, {});
  add(SectionType::kSkipped, EncodeSkipped({}));
  add(SectionType::kCapture, EncodeCapture({}));
  add(SectionType::kReasons, EncodeReasons(std::vector<std::string>{"unmapped"}));
  if (!superseded.empty()) add(SectionType::kSuperseded, superseded);
  if (parent_) {
    ByteVector parent;
    Append(parent, WireParent{.name = *parent_,
                              .path_length = static_cast<uint32_t>(parent_path_.size()),
                              .reserved = 0});
    const auto path = std::as_bytes(std::span(parent_path_));
    parent.insert(parent.end(), path.begin(), path.end());
    add(SectionType::kParent, parent);
  }
  if (hashes_) add(SectionType::kHashes, hashes, kSectionOptional);
  ByteVector stands_for;
  for (const WireImageName& name : stands_for_) Append(stands_for, name);
  if (!stands_for.empty()) add(SectionType::kStandsFor, stands_for, kSectionOptional);
  index_checksum_ = Xxh3(index);
  add(SectionType::kIndex, index);
  const uint64_t table_offset = image.size();
  image.insert(image.end(), table.begin(), table.end());
  AppendChecked(image, WireTrailer{.magic = kTrailerMagic,
                                   .id = id_,
                                   .table_offset = table_offset,
                                   .table_length = table.size(),
                                   .table_checksum = Xxh3(table),
                                   .file_size = image.size() + sizeof(WireTrailer),
                                   .checksum = 0});
  return image;
}

ByteVector HandImage::FreedFile(const std::vector<Freed>& freed, bool complete) const {
  ByteVector entries;
  for (const Freed& what : freed) {
    ByteVector left = blocks_[what.block].stored;
    const bool raw = blocks_[what.block].encoding == WireEncoding::kRaw;
    if (!raw) std::ranges::fill(left, std::byte{0});
    for (uint64_t page = 0; raw && page < left.size() / kPage; ++page) {
      if ((what.pages >> page & 1) != 0) std::memset(left.data() + page * kPage, 0, kPage);
    }
    Append(entries, WireFreed{.file_offset = blocks_[what.block].offset,
                              .freed = what.pages,
                              .checksum = Xxh3(left)});
  }
  const WireFreedHeader header{.magic = kFreedMagic,
                               .id = id_,
                               .index_checksum = index_checksum_,
                               .version = kFreedVersion,
                               .complete = complete ? 1u : 0u,
                               .count = freed.size(),
                               .checksum = 0};
  ByteVector file;
  Append(file, header);
  file.resize(sizeof(header) - sizeof(uint64_t));
  ByteVector checked = file;
  checked.insert(checked.end(), entries.begin(), entries.end());
  Append(file, Xxh3(checked));
  file.insert(file.end(), entries.begin(), entries.end());
  return file;
}

HandImage PackedImage() {
  HandImage image(1);
  image.AddData(kSampleBase, PatternPages(1, 3), WireEncoding::kLz4);
  const size_t parts = image.AddBlock(PatternPages(2, 8), WireEncoding::kZstd);
  image.Place(kSampleBase + 3 * kPage, parts, 1, 2, PageSource::kFaulted);
  image.Place(0x40000, parts, 5, 3);
  const size_t raw = image.AddBlock(PatternPages(3, 4));
  image.Place(kSampleBase + 5 * kPage, raw, 3, 1);
  image.Place(0x40000 + 3 * kPage, raw, 0, 1);
  image.AddBlock(PatternPages(4, 2), WireEncoding::kLz4);
  image.Add(WireKind::kZero, kSampleBase + 6 * kPage, 2);
  image.Add(WireKind::kLost, kSampleBase + 8 * kPage, 1);
  image.KeepHashes();
  return image;
}

HandImage DifferenceImage(std::string path) {
  HandImage parent = PackedImage();
  parent.Build();
  HandImage image(2);
  image.Add(WireKind::kInParent, kSampleBase + kPage, 1);
  image.AddData(kSampleBase + 2 * kPage, PatternPages(9, 1), WireEncoding::kLz4);
  image.Add(WireKind::kInParent, 0x40000, 1);
  image.AddStandsFor({.id = {7}, .index_checksum = 7});
  image.SetParent(parent.name(), std::move(path));
  return image;
}

}  // namespace stillframe
