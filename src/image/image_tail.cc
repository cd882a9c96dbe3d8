#include "image/image_tail.h"

#include <algorithm>
#include <array>
#include <string>

#include "image/checksum.h"
#include "image/metadata_encoder.h"

namespace stillframe {

Result<void> ImageTail::AppendMetadata(const ImageMetadata& metadata) {
  const ProcessState& process = metadata.process;
  STILLFRAME_TRY(Append(SectionType::kProcess, EncodeProcess(process)));
  STILLFRAME_TRY(Append(SectionType::kThreads, EncodeThreads(process.threads)));
  STILLFRAME_TRY(Append(SectionType::kMappings, EncodeMappings(metadata.mappings)));
  STILLFRAME_TRY(Append(SectionType::kAuxv, process.auxv));
  STILLFRAME_TRY(Append(SectionType::kSkipped, EncodeSkipped(metadata.skipped)));
  return Append(SectionType::kCapture, EncodeCapture(metadata));
}

Result<void> ImageTail::Append(SectionType type, std::span<const std::byte> bytes, uint32_t flags) {
  const bool of_pages = type == SectionType::kIndex || type == SectionType::kSuperseded;
  if (!of_pages && bytes.size() > kMaxSectionBytes) {
    // No reader would take it.
    return Fail(ErrorCode::kUnsupported, "completing the image: section " +
                                             std::to_string(static_cast<uint32_t>(type)) +
                                             " would be larger than 1 GiB");
  }
  table_.push_back({.type = static_cast<uint32_t>(type),
                    .flags = flags,
                    .offset = offset_,
                    .length = bytes.size(),
                    .checksum = Checksum(bytes)});
  STILLFRAME_TRY(output_.Append(bytes));
  offset_ += bytes.size();
  return {};
}

// Not in one piece: 16 bytes for each page of the target.
Result<void> ImageTail::AppendHashes(const IndexBuilder& index) {
  const uint64_t begin = offset_;
  RunningChecksum checksum;
  STILLFRAME_TRY(index.ForEachHash([&](std::span<const PageHash> hashes) -> Result<void> {
    std::array<WirePageHash, kMaxBlockPages> wire;
    std::ranges::transform(hashes, wire.begin(), [](const PageHash& hash) {
      return WirePageHash{.low = hash.low, .high = hash.high};
    });
    const auto bytes = std::as_bytes(std::span(wire).first(hashes.size()));
    checksum.Add(bytes);
    offset_ += bytes.size();
    return output_.Append(bytes);
  }));
  table_.push_back({.type = static_cast<uint32_t>(SectionType::kHashes),
                    .flags = kSectionOptional,
                    .offset = begin,
                    .length = offset_ - begin,
                    .checksum = checksum.value()});
  return {};
}

Result<void> ImageTail::AppendTrailer(std::span<const uint8_t, 16> id) {
  const std::span<const WireSection> table(table_);
  WireTrailer trailer{.magic = kTrailerMagic,
                      .id = {},
                      .table_offset = offset_,
                      .table_length = table.size_bytes(),
                      .table_checksum = Checksum(std::as_bytes(table)),
                      .file_size = offset_ + table.size_bytes() + sizeof(WireTrailer),
                      .checksum = 0};
  std::ranges::copy(id, trailer.id.begin());
  trailer.checksum = ChecksumBeforeLast(trailer);
  const std::array parts{BufferOf(table), BufferOf(std::span<const WireTrailer>(&trailer, 1))};
  return output_.Append(parts);
}

}  // namespace stillframe
