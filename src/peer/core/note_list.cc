#include "peer/core/note_list.h"

#include <elf.h>

#include <limits>
#include <string>

namespace stillframe {
namespace {

constexpr size_t FilledUp(size_t size) { return (size + 3) / 4 * 4; }

}  // namespace

size_t NoteList::SizeOf(std::string_view name, size_t size) {
  return sizeof(Elf64_Nhdr) + FilledUp(name.size() + 1) + FilledUp(size);
}

Result<void> NoteList::Add(std::string_view name, uint32_t type, std::span<const std::byte> bytes) {
  if (bytes.size() > std::numeric_limits<uint32_t>::max()) {
    return Fail(ErrorCode::kUnsupported, "writing the notes of the core: one of type " +
                                             std::to_string(type) + " has " +
                                             std::to_string(bytes.size()) +
                                             " bytes, and 4 GiB is the most that a note can have");
  }
  const Elf64_Nhdr header{.n_namesz = static_cast<Elf64_Word>(name.size() + 1),
                          .n_descsz = static_cast<Elf64_Word>(bytes.size()),
                          .n_type = type};
  Append(std::as_bytes(std::span(&header, 1)));
  Append(std::as_bytes(std::span(name)));
  bytes_.push_back(std::byte{0});
  bytes_.resize(FilledUp(bytes_.size()));
  Append(bytes);
  bytes_.resize(FilledUp(bytes_.size()));
  return {};
}

void NoteList::Append(std::span<const std::byte> bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

}  // namespace stillframe
