// Our own note: when a core was taken, and what of the memory is not in it. docs/core.md tells its
// layout.
#ifndef STILLFRAME_PEER_CORE_SAVE_NOTE_H_
#define STILLFRAME_PEER_CORE_SAVE_NOTE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "stillframe/page_sink.h"

namespace stillframe {

// "STFR". Not a small number: readers that don't look at the name would take it for one of CORE's.
inline constexpr uint32_t kSaveNoteType = 0x52465453;
inline constexpr uint32_t kSaveNoteVersion = 1;
// Ranges that are listed; of more only the first by address, and the totals tell of all.
inline constexpr size_t kSaveNoteRanges = 65'536;
// Of a reason; what is longer is cut.
inline constexpr size_t kSaveNoteReasonBytes = 255;

struct SaveNoteHeader {
  uint32_t version;
  uint32_t reason_count;
  uint64_t instant_unix_ns;  // CLOCK_REALTIME at the instant
  uint64_t pause_ns;
  uint64_t lost_bytes;        // of all ranges, the ones that are not listed included
  uint64_t unreadable_bytes;  // the same
  uint64_t range_total;
  uint32_t range_count;  // of them listed
  uint32_t reserved;     // 0
};
static_assert(sizeof(SaveNoteHeader) == 56);

enum class SaveNoteKind : uint32_t {
  kLost = 1,        // was there at the instant and could not be saved: not in the file
  kUnreadable = 2,  // the target itself can't read it: zeros
};

// `range_count` of them follow the header, by address.
struct SaveNoteRange {
  uint64_t begin;
  uint64_t end;
  uint32_t kind;    // SaveNoteKind
  uint32_t reason;  // its number among the reasons, from 0
};
static_assert(sizeof(SaveNoteRange) == 24);
// Then `reason_count` reasons, each with a NUL behind it.

// The bytes of the note. `lost`: in any order.
std::vector<std::byte> EncodeSaveNote(const ImageMetadata& metadata,
                                      std::span<const RangeReason> lost);

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_SAVE_NOTE_H_
