// The structures of an image file, byte for byte as docs/image-format.md tells. Little-endian,
// naturally aligned, no holes: each byte is a field, and reserved ones are zero.
#ifndef STILLFRAME_IMAGE_WIRE_H_
#define STILLFRAME_IMAGE_WIRE_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "stillframe/units.h"

namespace stillframe {

static_assert(std::endian::native == std::endian::little,
              "fields are read and written as they are");

// What an image needs decides which it has: see docs/image-format.md, "Versions".
inline constexpr uint32_t kPlainVersion = 1;
inline constexpr uint32_t kFormatVersion = 2;  // encoded blocks, pages that stand in a parent
inline constexpr uint64_t kHeaderSize = 4096;
inline constexpr uint64_t kMaxBlockPages = 64;
// Of each section but INDEX, SUPERSEDED and HASHES. 65,536 threads with all their registers are
// less.
inline constexpr uint64_t kMaxSectionBytes = GiB(1).count;

inline constexpr size_t kMaxStandsFor = 4096;  // records of kStandsFor

// Not text, and spoilt by whatever changes line ends or drops the eighth bit.
inline constexpr std::array<uint8_t, 8> kHeaderMagic{0x89, 'S', 'T', 'F', 'R', '\r', '\n', 0x1a};
inline constexpr std::array<uint8_t, 8> kTrailerMagic{'S', 'T', 'F', 'R', 'D', 'O', 'N', 'E'};

// At offset 0; zeros follow up to kHeaderSize.
struct WireHeader {
  std::array<uint8_t, 8> magic;
  uint32_t version;
  uint32_t header_size;
  std::array<uint8_t, 16> id;
  uint32_t page_size;
  uint32_t reserved;
  uint64_t created_unix_ns;
  uint64_t checksum;  // of the bytes before it
};
static_assert(sizeof(WireHeader) == 56);

// The last bytes of the file.
struct WireTrailer {
  std::array<uint8_t, 8> magic;
  std::array<uint8_t, 16> id;
  uint64_t table_offset;
  uint64_t table_length;  // bytes
  uint64_t table_checksum;
  uint64_t file_size;
  uint64_t checksum;  // of the bytes before it
};
static_assert(sizeof(WireTrailer) == 64);

enum class SectionType : uint32_t {
  kProcess = 1,
  kThreads = 2,
  kMappings = 3,
  kAuxv = 4,
  kSkipped = 5,
  kCapture = 6,
  kIndex = 7,
  kReasons = 8,
  kSuperseded = 9,  // only where there is any
  kParent = 10,     // of version 2, where pages stand in a parent
  kHashes = 11,     // optional
  kStandsFor = 12,  // optional
};
// Those up to here are in every image.
inline constexpr uint32_t kLastRequiredType = 8;
inline constexpr uint32_t kLastSectionType = 12;

// A reader that doesn't know the section's type may do without it.
inline constexpr uint32_t kSectionOptional = 1u << 0;

struct WireSection {
  uint32_t type;
  uint32_t flags;
  uint64_t offset;
  uint64_t length;  // bytes
  uint64_t checksum;
};
static_assert(sizeof(WireSection) == 32);

// kProcess: one of these, then the bytes whose lengths it gives, in their order.
struct WireProcess {
  uint32_t pid;
  uint32_t reserved;
  uint64_t start_time;
  uint64_t coredump_filter;
  uint32_t boot_id_length;
  uint32_t executable_length;
  uint32_t command_line_length;
  uint32_t stat_length;
  uint32_t status_length;
  uint32_t reserved2;
};
static_assert(sizeof(WireProcess) == 48);

// kThreads, kMappings, kSkipped, kReasons: this, then `count` records, each with its bytes behind
// it.
struct WireCount {
  uint32_t count;
  uint32_t reserved;
};
static_assert(sizeof(WireCount) == 8);

struct WireThread {
  uint32_t tid;
  uint32_t name_length;
  uint64_t signal_mask;
  uint64_t pending_signals;
  uint64_t user_ticks;
  uint64_t system_ticks;
  uint32_t prstatus_length;
  uint32_t fpregset_length;
  uint32_t xstate_length;
  uint32_t siginfo_length;
};
static_assert(sizeof(WireThread) == 56);

enum MappingFlag : uint32_t {
  kMappingReadable = 1u << 0,
  kMappingWritable = 1u << 1,
  kMappingExecutable = 1u << 2,
  kMappingShared = 1u << 3,
  kMappingHasDetails = 1u << 4,
  kMappingDontDump = 1u << 5,
  kMappingIo = 1u << 6,
  kMappingHugetlb = 1u << 7,
  kMappingTracked = 1u << 8,
  kMappingMergeable = 1u << 9,
};
inline constexpr uint32_t kMappingFlags = (1u << 10) - 1;

struct WireMapping {
  uint64_t begin;
  uint64_t end;
  uint64_t saved_begin;
  uint64_t saved_end;
  uint64_t file_offset;
  uint64_t inode;
  uint32_t device_major;
  uint32_t device_minor;
  uint64_t kernel_page_size;
  uint64_t resident;
  uint64_t anonymous;
  uint64_t swapped;
  uint32_t flags;  // MappingFlag
  uint32_t name_length;
};
static_assert(sizeof(WireMapping) == 96);

struct WireSkipped {
  uint64_t begin;
  uint64_t end;
  uint32_t reason_length;
  uint32_t reserved;
};
static_assert(sizeof(WireSkipped) == 24);

// kCapture: one of these, then the bytes of kernel and host.
struct WireCapture {
  uint64_t instant_unix_ns;
  uint64_t pause_ns;
  uint64_t filter;
  uint32_t kernel_length;
  uint32_t host_length;
};
static_assert(sizeof(WireCapture) == 32);

// kReasons: each a length, then its bytes.
struct WireReason {
  uint32_t length;
};
static_assert(sizeof(WireReason) == 4);

enum class WireKind : uint8_t {
  kData = 1,
  kZero = 2,
  kLost = 3,
  kInParent = 4,  // of version 2
};
// All but kRaw are of version 2.
enum class WireEncoding : uint8_t {
  kRaw = 0,
  kLz4 = 1,   // one LZ4 block, without a frame
  kZstd = 2,  // one Zstandard frame
};

// kIndex: nothing but these, by address, not overlapping.
struct WireIndexEntry {
  uint64_t address;
  uint64_t pages;
  // Of the block in the file; all zero unless kind is kData.
  uint64_t file_offset;
  uint64_t stored_bytes;
  uint64_t checksum;
  uint8_t kind;      // WireKind
  uint8_t source;    // PageSource of kData, else 0
  uint8_t encoding;  // WireEncoding
  uint8_t reason;    // for kLost the number of a kReasons string, from 0; else 0
  // Of kData in version 2, else 0: where in the block the first page stands, counted in pages, and
  // how many pages the block holds.
  uint16_t first_page;
  uint16_t block_pages;

  uint64_t end() const { return address + pages * kPageSize.count; }
  bool operator==(const WireIndexEntry&) const = default;
};
static_assert(sizeof(WireIndexEntry) == 48);

// kSuperseded: nothing but these, by file_offset, not overlapping.
struct WireSuperseded {
  uint64_t file_offset;
  uint64_t stored_bytes;
  uint64_t checksum;
};
static_assert(sizeof(WireSuperseded) == 24);

// Names an image by what nobody can change in it unseen.
struct WireImageName {
  std::array<uint8_t, 16> id;
  uint64_t index_checksum;  // of its section kIndex, as its table tells it
};
static_assert(sizeof(WireImageName) == 24);

// kParent: one of these, then the bytes of its path.
struct WireParent {
  WireImageName name;
  uint32_t path_length;
  uint32_t reserved;
};
static_assert(sizeof(WireParent) == 32);

// kHashes: nothing but these, one for each page of the data entries of the index, in its order.
struct WirePageHash {
  uint64_t low;  // XXH3, 128 bits, seed 0
  uint64_t high;
  bool operator==(const WirePageHash&) const = default;
};
static_assert(sizeof(WirePageHash) == 16);

template <class T>
concept WireStruct = std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>;
static_assert(WireStruct<WireHeader> && WireStruct<WireTrailer> && WireStruct<WireSection> &&
              WireStruct<WireProcess> && WireStruct<WireThread> && WireStruct<WireMapping> &&
              WireStruct<WireSkipped> && WireStruct<WireCapture> && WireStruct<WireIndexEntry> &&
              WireStruct<WireSuperseded> && WireStruct<WireParent> && WireStruct<WirePageHash>);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_WIRE_H_
