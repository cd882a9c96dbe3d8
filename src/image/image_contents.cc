#include "image/image_contents.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "image/checksum.h"
#include "image/coverage.h"
#include "image/metadata_decoder.h"
#include "image/section_table.h"

namespace stillframe {
namespace {

template <WireStruct T>
std::span<std::byte> BytesOf(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

Result<WireHeader> LoadHeader(const ImageFile& file) {
  if (file.size() == 0)
    return file.Damaged("it is empty", "the save that wrote it did not end well");
  WireHeader header{};
  const size_t there = static_cast<size_t>(std::min<uint64_t>(file.size(), sizeof(header)));
  STILLFRAME_TRY(file.ReadAt(0, BytesOf(header).first(there)));
  const size_t magic_there = std::min(there, header.magic.size());
  if (!std::equal(header.magic.begin(), header.magic.begin() + magic_there, kHeaderMagic.begin())) {
    return file.Damaged("it is not a Stillframe image");
  }
  if (there >= offsetof(WireHeader, header_size) &&
      (header.version < kPlainVersion || header.version > kFormatVersion)) {
    return file.Damaged("it is of format version " + std::to_string(header.version) +
                            ", and this program reads versions " + std::to_string(kPlainVersion) +
                            " to " + std::to_string(kFormatVersion),
                        "read it with a later version of stillframe");
  }
  if (file.size() < kHeaderSize + sizeof(WireTrailer)) {
    return file.Damaged("it is cut off after " + std::to_string(file.size()) + " bytes");
  }
  if (ChecksumBeforeLast(header) != header.checksum) {
    return file.Damaged("the checksum of its header is wrong");
  }
  if (header.header_size != kHeaderSize || header.page_size != kPageSize.count ||
      header.reserved != 0) {
    return file.Damaged("its header says what no image of this version can");
  }
  STILLFRAME_ASSIGN(const bool zero, file.IsZero(sizeof(header), kHeaderSize - sizeof(header)));
  if (!zero) return file.Damaged("the end of its header is not zero");
  return header;
}

Result<WireTrailer> LoadTrailer(const ImageFile& file, const WireHeader& header) {
  WireTrailer trailer{};
  STILLFRAME_TRY(file.ReadAt(file.size() - sizeof(trailer), BytesOf(trailer)));
  if (trailer.magic != kTrailerMagic) {
    return file.Damaged(
        "it has no completeness mark at its end: it was cut off, or bytes were added",
        "write or copy it once more");
  }
  if (ChecksumBeforeLast(trailer) != trailer.checksum) {
    return file.Damaged("the checksum of its completeness mark is wrong");
  }
  if (trailer.file_size != file.size()) {
    return file.Damaged("it has " + std::to_string(file.size()) + " bytes in place of " +
                        std::to_string(trailer.file_size));
  }
  if (trailer.id != header.id) {
    return file.Damaged("its beginning and its end are of two different images");
  }
  return trailer;
}

// Reads the section and has `decode` fill `to` from it.
template <class Decode, class To>
Result<void> LoadSection(const ImageFile& file, const SectionTable& table, SectionType type,
                         Decode decode, To& to) {
  STILLFRAME_ASSIGN(const ByteVector bytes, table.Read(file, type));
  if (!decode(bytes, to)) {
    return file.Damaged("its section of type " + std::to_string(static_cast<uint32_t>(type)) +
                        " can't be decoded");
  }
  return {};
}

Result<ImageMetadata> LoadMetadata(const ImageFile& file, const SectionTable& table) {
  ImageMetadata metadata;
  ProcessState& process = metadata.process;
  STILLFRAME_TRY(LoadSection(file, table, SectionType::kProcess, DecodeProcess, process));
  STILLFRAME_TRY(LoadSection(file, table, SectionType::kThreads, DecodeThreads, process.threads));
  STILLFRAME_TRY(
      LoadSection(file, table, SectionType::kMappings, DecodeMappings, metadata.mappings));
  STILLFRAME_TRY(LoadSection(file, table, SectionType::kSkipped, DecodeSkipped, metadata.skipped));
  STILLFRAME_TRY(LoadSection(file, table, SectionType::kCapture, DecodeCapture, metadata));
  STILLFRAME_ASSIGN(process.auxv, table.Read(file, SectionType::kAuxv));
  return metadata;
}

// What only some images have. Before the index, which depends on it.
Result<void> LoadOptional(const ImageFile& file, const SectionTable& table, ImageContents& to) {
  if (table.FindOptional(SectionType::kParent) != nullptr) {
    to.parent.emplace();
    STILLFRAME_TRY(LoadSection(file, table, SectionType::kParent, DecodeParent, *to.parent));
  }
  if (table.FindOptional(SectionType::kStandsFor) != nullptr) {
    STILLFRAME_TRY(
        LoadSection(file, table, SectionType::kStandsFor, DecodeStandsFor, to.stands_for));
  }
  if (const WireSection* hashes = table.FindOptional(SectionType::kHashes)) to.hashes = *hashes;
  return {};
}

Result<void> LoadIndex(const ImageFile& file, const SectionTable& table, ImageContents& to) {
  std::vector<std::string> reasons;
  STILLFRAME_TRY(LoadSection(file, table, SectionType::kReasons, DecodeReasons, reasons));
  const WireSection& section = table.Find(SectionType::kIndex);
  to.index_checksum = section.checksum;
  to.data_end = table.data_end();
  STILLFRAME_ASSIGN(to.index,
                    ImageIndex::Load(file, section, table.FindOptional(SectionType::kSuperseded),
                                     {.version = to.header.version,
                                      .data_end = to.data_end,
                                      .has_parent = to.parent.has_value()},
                                     std::move(reasons)));
  std::optional<std::string> wrong = CheckMappings(to.metadata.mappings);
  if (!wrong) wrong = CheckCoverage(to.index.entries(), to.metadata.mappings);
  if (!wrong && to.hashes &&
      to.hashes->length != to.index.data_pages().count * sizeof(WirePageHash)) {
    wrong = "it has not one hash for each of its pages";
  }
  if (wrong) return file.Damaged(*wrong);
  return {};
}

}  // namespace

bool ImageContents::Is(const WireImageName& wanted) const {
  const auto same = [&wanted](const WireImageName& other) {
    return other.id == wanted.id && other.index_checksum == wanted.index_checksum;
  };
  return same(name()) || std::ranges::any_of(stands_for, same);
}

Result<ImageContents> LoadImageContents(const ImageFile& file) {
  ImageContents contents;
  STILLFRAME_ASSIGN(contents.header, LoadHeader(file));
  STILLFRAME_ASSIGN(const WireTrailer trailer, LoadTrailer(file, contents.header));
  STILLFRAME_ASSIGN(const SectionTable table,
                    SectionTable::Load(file, trailer, contents.header.version));
  STILLFRAME_ASSIGN(contents.metadata, LoadMetadata(file, table));
  STILLFRAME_TRY(LoadOptional(file, table, contents));
  STILLFRAME_TRY(LoadIndex(file, table, contents));
  return contents;
}

}  // namespace stillframe
