// What the tests of cores write, and how they look at it.
#ifndef STILLFRAME_TESTS_UNIT_CORE_SAMPLES_H_
#define STILLFRAME_TESTS_UNIT_CORE_SAMPLES_H_

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "image_samples.h"
#include "peer/core/save_note.h"
#include "support/core_file.h"

namespace stillframe {

// A process of one thread with these mappings.
inline ImageMetadata CoreMetadata(std::vector<SavedMapping> mappings) {
  ImageMetadata metadata;
  metadata.process.pid = 4242;
  metadata.process.stat = "4242 (x) R 1 1 1";
  ThreadState thread;
  thread.tid = 4242;
  thread.name = "x";
  metadata.process.threads = {std::move(thread)};
  metadata.mappings = std::move(mappings);
  return metadata;
}

inline SavedMapping LeftOutMapping(uint64_t begin, uint64_t pages) {
  SavedMapping mapping = WholeMapping(begin, pages, "");
  mapping.saved.end = mapping.saved.begin;
  return mapping;
}

// Memory of the core; empty where not all of it is there.
inline ByteVector PagesIn(const test::CoreFile& core, uint64_t address, uint64_t pages) {
  ByteVector bytes(pages * kPageSize.count);
  if (!core.Read({address}, bytes)) bytes.clear();
  return bytes;
}

inline ByteVector ZeroPages(uint64_t pages) { return ByteVector(pages * kPageSize.count); }

// What our own note lists.
inline std::vector<SaveNoteRange> NotedRanges(const test::CoreFile& core) {
  const test::CoreNote* note = core.Note("Stillframe", kSaveNoteType);
  if (note == nullptr || note->data.size() < sizeof(SaveNoteHeader)) return {};
  const auto header = Load<SaveNoteHeader>(note->data, 0);
  std::vector<SaveNoteRange> ranges;
  for (uint32_t i = 0; i < header.range_count; ++i) {
    const size_t at = sizeof(SaveNoteHeader) + i * sizeof(SaveNoteRange);
    if (at + sizeof(SaveNoteRange) > note->data.size()) break;
    ranges.push_back(Load<SaveNoteRange>(note->data, at));
  }
  return ranges;
}

}  // namespace stillframe

#endif  // STILLFRAME_TESTS_UNIT_CORE_SAMPLES_H_
