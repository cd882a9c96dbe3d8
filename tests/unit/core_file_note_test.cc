// NT_FILE, byte by byte.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peer/core/file_note.h"

namespace stillframe {
namespace {

SavedMapping MappingOf(uint64_t begin, uint64_t end, std::string name, uint64_t inode,
                       uint64_t offset = 0) {
  SavedMapping saved;
  saved.mapping.range = saved.saved = {{begin}, {end}};
  saved.mapping.name = std::move(name);
  saved.mapping.inode = inode;
  saved.mapping.file_offset = offset;
  return saved;
}

TEST(FileNote, EveryMappingOfAFileIsThereSavedOrNot) {
  std::vector<SavedMapping> mappings = {
      MappingOf(0x1000, 0x3000, "/usr/bin/program", 5, 0x2000),
      MappingOf(0x4000, 0x6000, "[heap]", 0),
      MappingOf(0x7000, 0x8000, "/lib/gone (deleted)", 6),
  };
  mappings[2].saved.end = mappings[2].saved.begin;
  const uint64_t numbers[] = {2, 4096, 0x1000, 0x3000, 2, 0x7000, 0x8000, 0};
  const char names[] = "/usr/bin/program\0/lib/gone (deleted)";
  const std::vector<std::byte> note = EncodeFileNote(mappings);
  ASSERT_EQ(note.size(), sizeof(numbers) + sizeof(names));
  EXPECT_EQ(std::memcmp(note.data(), numbers, sizeof(numbers)), 0);
  EXPECT_EQ(std::memcmp(note.data() + sizeof(numbers), names, sizeof(names)), 0);
}

TEST(FileNote, NamesAreTheKernelsOwn) {
  const std::vector<SavedMapping> mappings = {
      MappingOf(0x1000, 0x2000, "[anon:named]", 0),
      MappingOf(0x2000, 0x3000, "", 0),
      MappingOf(0x3000, 0x4000, "/a line\nand \\012 another", 3),
      MappingOf(0x4000, 0x5000, "[anon_shmem:queue]", 4),
      MappingOf(0x5000, 0x6000, "/memfd:x (deleted)", 5),
      MappingOf(0x6000, 0x7000, std::string("/cut\0off", 8), 6),
  };
  const std::vector<std::byte> note = EncodeFileNote(mappings);
  constexpr size_t kNamesAt = (2 + 3 * 4) * sizeof(uint64_t);
  ASSERT_GT(note.size(), kNamesAt);
  uint64_t count = 0;
  std::memcpy(&count, note.data(), sizeof(count));
  EXPECT_EQ(count, 4u);
  const char names[] = "/a line\nand \\012 another\0/dev/zero (deleted)\0/memfd:x (deleted)\0/cut";
  EXPECT_EQ(
      std::string(reinterpret_cast<const char*>(note.data()) + kNamesAt, note.size() - kNamesAt),
      std::string(names, sizeof(names)));
}

TEST(FileNote, WithoutAFileThereIsNone) {
  const std::vector<SavedMapping> mappings = {MappingOf(0x1000, 0x2000, "[stack]", 0)};
  EXPECT_TRUE(EncodeFileNote(mappings).empty());
}

}  // namespace
}  // namespace stillframe
