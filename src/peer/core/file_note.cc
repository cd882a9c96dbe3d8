#include "peer/core/file_note.h"

#include <cstdint>
#include <string_view>
#include <utility>

namespace stillframe {
namespace {

// Shared anonymous memory is a file to the kernel. Where the program gave it a name (PR_SET_VMA),
// maps shows that in place of the file's, which is always the same.
std::string_view FileName(const Mapping& mapping) {
  if (mapping.name.starts_with("[anon_shmem:")) return "/dev/zero (deleted)";
  // From an image it may hold anything, and a NUL would shift all that follow.
  return std::string_view(mapping.name).substr(0, mapping.name.find('\0'));
}

class FileNote {
 public:
  FileNote(size_t numbers, size_t names) { bytes_.reserve(numbers * sizeof(uint64_t) + names); }

  void Add(uint64_t number) { Append(std::as_bytes(std::span(&number, 1))); }
  void Add(std::string_view name) {
    Append(std::as_bytes(std::span(name)));
    bytes_.push_back(std::byte{0});
  }
  std::vector<std::byte> Take() { return std::move(bytes_); }

 private:
  void Append(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }

  std::vector<std::byte> bytes_;
};

}  // namespace

std::vector<std::byte> EncodeFileNote(std::span<const SavedMapping> mappings) {
  size_t count = 0;
  size_t names = 0;
  for (const SavedMapping& saved : mappings) {
    if (!saved.mapping.has_file()) continue;
    ++count;
    names += FileName(saved.mapping).size() + 1;
  }
  if (count == 0) return {};
  FileNote note(2 + 3 * count, names);
  note.Add(count);
  note.Add(kPageSize.count);
  for (const SavedMapping& saved : mappings) {
    if (!saved.mapping.has_file()) continue;
    note.Add(saved.mapping.range.begin.value);
    note.Add(saved.mapping.range.end.value);
    note.Add(ToPages(Bytes{saved.mapping.file_offset}).count);
  }
  for (const SavedMapping& saved : mappings) {
    if (saved.mapping.has_file()) note.Add(FileName(saved.mapping));
  }
  return note.Take();
}

}  // namespace stillframe
