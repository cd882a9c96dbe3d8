#include "image/section_table.h"

#include <algorithm>
#include <array>
#include <string>

#include "image/checksum.h"

namespace stillframe {
namespace {

constexpr size_t kMaxSections = 4096;

std::string NameOf(uint32_t type) {
  constexpr std::array kNames{"PROCESS",    "THREADS", "MAPPINGS", "AUXV",
                              "SKIPPED",    "CAPTURE", "INDEX",    "REASONS",
                              "SUPERSEDED", "PARENT",  "HASHES",   "STANDS_FOR"};
  static_assert(kNames.size() == kLastSectionType);
  if (type >= 1 && type <= kNames.size()) return std::string("section ") + kNames[type - 1];
  return "section of type " + std::to_string(type);
}

}  // namespace

Result<SectionTable> SectionTable::Load(const ImageFile& file, const WireTrailer& trailer,
                                        uint32_t version) {
  const uint64_t length = trailer.table_length;
  const uint64_t table_end = file.size() - sizeof(WireTrailer);
  if (length % sizeof(WireSection) != 0 || length > kMaxSections * sizeof(WireSection) ||
      length > table_end || trailer.table_offset != table_end - length) {
    return file.Damaged("its section table is not where it has to be");
  }
  SectionTable table;
  table.sections_.resize(static_cast<size_t>(length / sizeof(WireSection)));
  const std::span<WireSection> sections(table.sections_);
  STILLFRAME_TRY(file.ReadAt(trailer.table_offset, std::as_writable_bytes(sections)));
  if (Checksum(std::as_bytes(sections)) != trailer.table_checksum) {
    return file.Damaged("the checksum of its section table is wrong");
  }
  STILLFRAME_TRY(table.CheckLayout(file, trailer.table_offset));
  STILLFRAME_TRY(table.CheckTypes(file, version));
  for (const WireSection& section : table.sections_) {
    STILLFRAME_ASSIGN(const uint64_t checksum, file.ChecksumOf(section.offset, section.length));
    if (checksum != section.checksum) {
      return file.Damaged("the checksum of its " + NameOf(section.type) + " is wrong");
    }
  }
  return table;
}

Result<void> SectionTable::CheckLayout(const ImageFile& file, uint64_t table_offset) {
  data_end_ = sections_.empty() ? table_offset : sections_.front().offset;
  uint64_t at = data_end_;
  for (const WireSection& section : sections_) {
    if (section.offset != at || at > table_offset || section.length > table_offset - at) {
      return file.Damaged("its " + NameOf(section.type) + " is not where it has to be");
    }
    at += section.length;
  }
  if (at != table_offset || data_end_ < kHeaderSize) {
    return file.Damaged("its sections are not where they have to be");
  }
  return {};
}

Result<void> SectionTable::CheckTypes(const ImageFile& file, uint32_t version) const {
  std::array<int, kLastSectionType + 1> seen{};
  for (const WireSection& section : sections_) {
    const bool known = section.type >= 1 && section.type <= kLastSectionType;
    if ((section.flags & ~kSectionOptional) != 0 ||
        (!known && (section.flags & kSectionOptional) == 0)) {
      return file.Damaged("it holds a " + NameOf(section.type) + " that this program does not know",
                          "read it with the version of stillframe that wrote it, or a later one");
    }
    const bool needed = section.type <= kLastRequiredType ||
                        section.type == static_cast<uint32_t>(SectionType::kSuperseded) ||
                        section.type == static_cast<uint32_t>(SectionType::kParent);
    if (known && needed && section.flags != 0) {
      return file.Damaged("its " + NameOf(section.type) + " says that a reader may do without it");
    }
    if (known && ++seen[section.type] > 1) {
      return file.Damaged("it has more than one " + NameOf(section.type));
    }
  }
  if (version == kPlainVersion && seen[static_cast<size_t>(SectionType::kParent)] > 0) {
    return file.Damaged("it is of format version 1, which has no section PARENT");
  }
  for (uint32_t type = 1; type <= kLastRequiredType; ++type) {
    if (seen[type] == 0) return file.Damaged("it has no " + NameOf(type));
  }
  return {};
}

const WireSection& SectionTable::Find(SectionType type) const { return *FindOptional(type); }

const WireSection* SectionTable::FindOptional(SectionType type) const {
  const auto found = std::find_if(
      sections_.begin(), sections_.end(),
      [type](const WireSection& section) { return section.type == static_cast<uint32_t>(type); });
  return found == sections_.end() ? nullptr : &*found;
}

Result<ByteVector> SectionTable::Read(const ImageFile& file, SectionType type) const {
  const WireSection& section = Find(type);
  if (section.length > kMaxSectionBytes) {
    return file.Damaged("its " + NameOf(section.type) + " is too large");
  }
  ByteVector bytes(static_cast<size_t>(section.length));
  STILLFRAME_TRY(file.ReadAt(section.offset, bytes));
  return bytes;
}

}  // namespace stillframe
