// The notes of one PT_NOTE segment, one behind the other.
#ifndef STILLFRAME_PEER_CORE_NOTE_LIST_H_
#define STILLFRAME_PEER_CORE_NOTE_LIST_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "stillframe/error.h"

namespace stillframe {

// Whose numbers the type of a note is one of.
inline constexpr std::string_view kNoteOfCore = "CORE";
inline constexpr std::string_view kNoteOfLinux = "LINUX";
inline constexpr std::string_view kNoteOfOurs = "Stillframe";

class NoteList {
 public:
  // How many bytes a note takes in the file.
  static size_t SizeOf(std::string_view name, size_t size);

  // Makes room for `size` more bytes, so that none of what follows is copied for want of it.
  void Reserve(size_t size) { bytes_.reserve(bytes_.size() + size); }

  // `name` without a NUL. Name and bytes are filled up to 4 bytes with zeros each, as the kernel
  // does it. kUnsupported for more bytes than a note can have, 4 GiB.
  Result<void> Add(std::string_view name, uint32_t type, std::span<const std::byte> bytes);

  template <class Struct>
  Result<void> AddStruct(std::string_view name, uint32_t type, const Struct& value) {
    static_assert(std::is_trivially_copyable_v<Struct>);
    return Add(name, type, std::as_bytes(std::span(&value, 1)));
  }

  std::vector<std::byte> Take() { return std::move(bytes_); }

 private:
  void Append(std::span<const std::byte> bytes);

  std::vector<std::byte> bytes_;
};

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_NOTE_LIST_H_
