#include "image_samples.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <numeric>
#include <utility>

#include "image/checksum.h"

namespace stillframe {
namespace {

// A test that can't even build its input has nothing to say.
void Check(bool condition) {
  if (!condition) std::abort();
}

ThreadState SampleThread(pid_t tid, std::string name) {
  ThreadState thread;
  thread.tid = tid;
  thread.name = std::move(name);
  thread.signal_mask = 0x8000000000000001u;
  thread.pending_signals = 0x4000;
  thread.user_ticks = 12;
  thread.system_ticks = 3;
  thread.prstatus.assign(27, std::byte{0x11});
  thread.fpregset.assign(16, std::byte{0x22});
  thread.xstate.assign(24, std::byte{0x33});
  thread.siginfo.assign(8, std::byte{0x44});
  return thread;
}

bool Fits(std::span<const std::byte> image, uint64_t offset, uint64_t length) {
  return offset <= image.size() && length <= image.size() - offset;
}

void RepairBlocks(ByteVector& image, const WireSection& index) {
  for (uint64_t at = 0; at + sizeof(WireIndexEntry) <= index.length; at += sizeof(WireIndexEntry)) {
    auto entry = Load<WireIndexEntry>(image, index.offset + at);
    if (entry.kind != static_cast<uint8_t>(WireKind::kData) ||
        !Fits(image, entry.file_offset, entry.stored_bytes)) {
      continue;
    }
    entry.checksum = Checksum(std::span(image).subspan(entry.file_offset, entry.stored_bytes));
    StoreAt(image, index.offset + at, entry);
  }
}

void RepairSuperseded(ByteVector& image, const WireSection& section) {
  for (uint64_t at = 0; at + sizeof(WireSuperseded) <= section.length;
       at += sizeof(WireSuperseded)) {
    auto record = Load<WireSuperseded>(image, section.offset + at);
    if (!Fits(image, record.file_offset, record.stored_bytes)) continue;
    record.checksum = Checksum(std::span(image).subspan(record.file_offset, record.stored_bytes));
    StoreAt(image, section.offset + at, record);
  }
}

}  // namespace

Result<void> MemoryStore::Append(std::span<const iovec> parts) {
  for (const iovec& part : parts) {
    const auto* from = static_cast<const std::byte*>(part.iov_base);
    bytes_.insert(bytes_.end(), from, from + part.iov_len);
    Advance(part.iov_len);
  }
  return {};
}

Result<void> MemoryStore::Publish() {
  *published_ = bytes_;
  return {};
}

MemoryFile::MemoryFile(std::span<const std::byte> bytes) : fd_(memfd_create("image", MFD_CLOEXEC)) {
  Check(static_cast<bool>(fd_));
  Write(0, bytes);
}

std::string MemoryFile::path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

void MemoryFile::Write(uint64_t offset, std::span<const std::byte> bytes) {
  const ssize_t n = pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
  Check(n == static_cast<ssize_t>(bytes.size()));
}

void MemoryFile::Resize(uint64_t size) {
  Check(ftruncate(fd_.get(), static_cast<off_t>(size)) == 0);
}

SavedMapping WholeMapping(uint64_t begin, uint64_t pages, std::string name) {
  SavedMapping saved;
  saved.mapping.range = {{begin}, {begin + pages * kPageSize.count}};
  saved.mapping.readable = true;
  saved.mapping.writable = true;
  saved.mapping.name = std::move(name);
  saved.saved = saved.mapping.range;
  return saved;
}

ByteVector PatternPages(uint64_t seed, uint64_t pages) {
  ByteVector bytes(pages * kPageSize.count);
  for (uint64_t at = 0; at < bytes.size(); at += sizeof(uint64_t)) {
    StoreAt(bytes, at, (seed << 32) + at + 1);
  }
  return bytes;
}

ByteVector MakeImage(const ImageMetadata& metadata, const std::function<void(PageSink&)>& fill) {
  ImageIdentity identity;
  std::iota(identity.id.begin(), identity.id.end(), uint8_t{0});
  ByteVector image;
  // As the worked example in docs/image-format.md is.
  auto sink = ImageWriter::Create(std::make_unique<MemoryStore>(&image), identity,
                                  {.image = {.hashes = false}});
  Check(sink.has_value());
  fill(**sink);
  Check((*sink)->Finish(metadata).has_value());
  return image;
}

ImageMetadata SmallMetadata() {
  ImageMetadata metadata;
  metadata.process.pid = 4242;
  metadata.process.boot_id = "boot";
  metadata.process.start_time = 77;
  metadata.process.executable = "/bin/x";
  metadata.process.command_line.assign(3, std::byte{'x'});
  metadata.process.auxv.assign(32, std::byte{5});
  metadata.process.stat = "4242 (x) R";
  metadata.process.status = "Name:\tx\n";
  metadata.process.threads = {SampleThread(4242, "x"), SampleThread(4243, "worker")};
  metadata.mappings = {WholeMapping(0x10000, 3, "[heap]"), WholeMapping(0x20000, 4, "/lib/y")};
  metadata.mappings[1].mapping.inode = 9;
  metadata.mappings[1].mapping.file_offset = 4096;
  metadata.mappings[1].mapping.shared = true;
  SavedMapping left_out = WholeMapping(0x30000, 1, "/lib/z");
  left_out.saved.end = left_out.saved.begin;
  metadata.mappings.push_back(std::move(left_out));
  metadata.skipped = {{.range = {{0x30000}, {0x31000}}, .reason = "filter"}};
  metadata.instant_unix_ns = 1234567890;
  metadata.pause_ns = 1000;
  metadata.filter = 0x33;
  metadata.kernel = "6.1";
  metadata.host = "h";
  return metadata;
}

ByteVector SmallImage() {
  return MakeImage(SmallMetadata(), [](PageSink& sink) {
    Check(sink.Write({0x10000}, PatternPages(1, 1), PageSource::kScanned).has_value());
    Check(sink.Zero({{0x11000}, {0x13000}}).has_value());
    Check(sink.Zero({{0x20000}, {0x23000}}).has_value());
    Check(sink.Lost({{0x23000}, {0x24000}}, "unmapped").has_value());
  });
}

ByteVector LargerImage() {
  ImageMetadata metadata;
  metadata.mappings = {WholeMapping(0x7f0000000000, 100, ""), WholeMapping(0x7f0000064000, 6, "")};
  return MakeImage(metadata, [](PageSink& sink) {
    const auto at = [](uint64_t page) {
      return TargetAddress{0x7f0000000000 + page * kPageSize.count};
    };
    Check(sink.Write(at(90), PatternPages(90, 1), PageSource::kFaulted).has_value());
    Check(sink.Write(at(0), PatternPages(0, 70), PageSource::kScanned).has_value());
    Check(sink.Zero({at(70), at(90)}).has_value());
    Check(sink.Write(at(91), PatternPages(91, 2), PageSource::kPaused).has_value());
    Check(sink.Lost({at(93), at(95)}, "unmapped").has_value());
    Check(sink.Lost({at(95), at(96)}, "discarded").has_value());
    Check(sink.Write(at(96), ByteVector(10 * kPageSize.count), PageSource::kScanned).has_value());
  });
}

ByteVector RewrittenImage() {
  ImageMetadata metadata;
  metadata.mappings = {WholeMapping(0x10000, 6, "")};
  return MakeImage(metadata, [](PageSink& sink) {
    Check(sink.AllowRepeats().has_value());
    Check(sink.Write({0x10000}, PatternPages(1, 4), PageSource::kScanned).has_value());
    Check(sink.Write({0x14000}, PatternPages(2, 1), PageSource::kScanned).has_value());
    Check(sink.Write({0x30000}, PatternPages(3, 1), PageSource::kScanned).has_value());
    Check(sink.Write({0x11000}, PatternPages(4, 1), PageSource::kScanned).has_value());
    Check(sink.Write({0x14000}, PatternPages(5, 2), PageSource::kPaused).has_value());
    Check(sink.Zero({{0x13000}, {0x14000}}).has_value());
  });
}

ByteVector EmptyImage() {
  return MakeImage(ImageMetadata{}, [](PageSink&) {});
}

WireTrailer TrailerOf(std::span<const std::byte> image) {
  return Load<WireTrailer>(image, image.size() - sizeof(WireTrailer));
}

std::vector<WireSection> TableOf(std::span<const std::byte> image) {
  const WireTrailer trailer = TrailerOf(image);
  std::vector<WireSection> table;
  for (uint64_t at = 0; at < trailer.table_length; at += sizeof(WireSection)) {
    table.push_back(Load<WireSection>(image, trailer.table_offset + at));
  }
  return table;
}

WireSection SectionOf(std::span<const std::byte> image, SectionType type) {
  for (const WireSection& section : TableOf(image)) {
    if (section.type == static_cast<uint32_t>(type)) return section;
  }
  std::abort();
}

void RepairChecksums(ByteVector& image, bool blocks) {
  if (image.size() < kHeaderSize + sizeof(WireTrailer)) return;
  auto header = Load<WireHeader>(image, 0);
  header.checksum = ChecksumBeforeLast(header);
  StoreAt(image, 0, header);
  WireTrailer trailer = TrailerOf(image);
  if (Fits(image, trailer.table_offset, trailer.table_length)) {
    for (uint64_t at = 0; at + sizeof(WireSection) <= trailer.table_length;
         at += sizeof(WireSection)) {
      auto section = Load<WireSection>(image, trailer.table_offset + at);
      if (!Fits(image, section.offset, section.length)) continue;
      if (blocks && section.type == static_cast<uint32_t>(SectionType::kIndex)) {
        RepairBlocks(image, section);
      }
      if (blocks && section.type == static_cast<uint32_t>(SectionType::kSuperseded)) {
        RepairSuperseded(image, section);
      }
      section.checksum = Checksum(std::span(image).subspan(section.offset, section.length));
      StoreAt(image, trailer.table_offset + at, section);
    }
    trailer.table_checksum =
        Checksum(std::span(image).subspan(trailer.table_offset, trailer.table_length));
  }
  trailer.checksum = ChecksumBeforeLast(trailer);
  StoreAt(image, image.size() - sizeof(WireTrailer), trailer);
}

std::vector<RawSection> SectionsOf(std::span<const std::byte> image) {
  std::vector<RawSection> sections;
  for (const WireSection& section : TableOf(image)) {
    const auto bytes = image.subspan(section.offset, section.length);
    sections.push_back({section.type, section.flags, {bytes.begin(), bytes.end()}});
  }
  return sections;
}

ByteVector WithSections(std::span<const std::byte> image, std::span<const RawSection> sections) {
  WireTrailer trailer = TrailerOf(image);
  const uint64_t data_end = TableOf(image).front().offset;
  ByteVector result(image.begin(), image.begin() + static_cast<ptrdiff_t>(data_end));
  ByteVector table;
  for (const RawSection& raw : sections) {
    const WireSection section{.type = raw.type,
                              .flags = raw.flags,
                              .offset = result.size(),
                              .length = raw.bytes.size(),
                              .checksum = 0};
    const auto bytes = std::as_bytes(std::span(&section, 1));
    table.insert(table.end(), bytes.begin(), bytes.end());
    result.insert(result.end(), raw.bytes.begin(), raw.bytes.end());
  }
  trailer.table_offset = result.size();
  trailer.table_length = table.size();
  result.insert(result.end(), table.begin(), table.end());
  trailer.file_size = result.size() + sizeof(trailer);
  result.resize(trailer.file_size);
  StoreAt(result, trailer.file_size - sizeof(trailer), trailer);
  RepairChecksums(result, /*blocks=*/false);
  return result;
}

}  // namespace stillframe
