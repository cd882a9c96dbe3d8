// Gives the reader of images whatever bytes there are, as they are and with all checksums made
// right, so that what stands behind the checksums is reached too. A finding is an abort: by a
// sanitizer, or by one of the properties below.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "fuzz_parent.h"
#include "image_samples.h"
#include "peer/core/core_notes.h"
#include "stillframe/image_reader.h"

namespace stillframe {
namespace {

#define FUZZ_REQUIRE(condition)                                                    \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)

// Whatever the file says, these hold of an image that was opened.
void CheckRuns(const ImageReader& reader) {
  const SinkCounters counters = reader.counters();
  uint64_t pages = 0;
  uint64_t previous_end = 0;
  for (const ImageRun& run : reader.Runs({{0}, {UINT64_MAX}})) {
    FUZZ_REQUIRE(run.range.begin.value >= previous_end && !run.range.empty());
    FUZZ_REQUIRE(run.kind != PageKind::kLost || run.reason.data() != nullptr);
    previous_end = run.range.end.value;
    pages += run.range.pages().count;
  }
  FUZZ_REQUIRE(pages == counters.zero.count + counters.scanned.count + counters.faulted.count +
                            counters.paused.count + counters.lost.count);
  uint64_t saved = 0;
  for (const SavedMapping& mapping : reader.metadata().mappings) {
    FUZZ_REQUIRE(mapping.mapping.range.Contains(mapping.saved));
    saved += mapping.saved.pages().count;
  }
  FUZZ_REQUIRE(saved == pages);
}

void CheckReads(const ImageReader& reader) {
  const bool verified = reader.Verify().has_value();
  int left = 64;
  for (const ImageRun& run : reader.Runs({{0}, {UINT64_MAX}})) {
    if (left-- == 0) break;
    std::byte bytes[100];
    // The last bytes of the run's first page: not aligned, and no whole block.
    const auto result =
        reader.Read(run.range.begin + Bytes{kPageSize.count - sizeof(bytes)}, bytes);
    if (run.kind == PageKind::kZero) FUZZ_REQUIRE(result.has_value());
    if (run.kind == PageKind::kLost)
      FUZZ_REQUIRE(!result && result.error().code == ErrorCode::kInternal);
    if (run.kind == PageKind::kData) FUZZ_REQUIRE(result.has_value() || !verified);
  }
}

// What a queue brings is what Read does.
void CheckQueue(const ImageReader& reader) {
  const auto queue = reader.Queue();
  int left = 16;
  for (const ImageRun& run : reader.Runs({{0}, {UINT64_MAX}})) {
    if (left-- == 0) break;
    ByteVector read(kPageSize.count);
    ByteVector queued(kPageSize.count);
    const auto result = reader.ReadPage(run.range.begin, read);
    const auto noted = queue->QueueRead(run.range.begin, queued);
    FUZZ_REQUIRE(noted.has_value() == (run.kind != PageKind::kLost));
    if (!noted) continue;
    // Of a raw block that is damaged elsewhere a page may be proven by its hash.
    const auto done = queue->Sync();
    FUZZ_REQUIRE(done.has_value() || !result.has_value());
    FUZZ_REQUIRE(!result || read == queued);
  }
}

// A core can be made of whatever metadata an image has, but for registers that are none.
void CheckNotes(const ImageReader& reader) {
  ImageMetadata metadata = reader.metadata();
  const auto as_is = EncodeCoreNotes(metadata, {});
  FUZZ_REQUIRE(as_is.has_value() || as_is.error().code == ErrorCode::kDamaged);
  for (ThreadState& thread : metadata.process.threads) {
    thread.prstatus.clear();
    thread.fpregset.clear();
    thread.xstate.clear();
    thread.siginfo.clear();
  }
  const auto notes = EncodeCoreNotes(metadata, metadata.skipped);
  FUZZ_REQUIRE(notes.has_value() && notes->size() % 4 == 0);
}

void OpenAndCheck(std::span<const std::byte> bytes) {
  const MemoryFile file(bytes);
  const auto reader = ImageReader::Open(file.path());
  if (!reader) {
    // It may name any file as its parent.
    const bool of_parent = reader.error().message.find("needs its parent") != std::string::npos;
    FUZZ_REQUIRE(reader.error().code == ErrorCode::kDamaged || of_parent);
    FUZZ_REQUIRE(!reader.error().message.empty());
    return;
  }
  CheckRuns(**reader);
  CheckReads(**reader);
  CheckQueue(**reader);
  CheckNotes(**reader);
}

}  // namespace
}  // namespace stillframe

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const stillframe::FuzzParent parent;
  stillframe::ByteVector bytes(size);
  if (size > 0) std::memcpy(bytes.data(), data, size);
  stillframe::OpenAndCheck(bytes);
  stillframe::RepairChecksums(bytes, /*blocks=*/false);
  stillframe::OpenAndCheck(bytes);
  return 0;
}
