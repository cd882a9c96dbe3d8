// Where a saver writes to: an image, an ELF core, later a wire.
#ifndef STILLFRAME_PAGE_SINK_H_
#define STILLFRAME_PAGE_SINK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/mapping.h"
#include "stillframe/process_state.h"
#include "stillframe/units.h"

namespace stillframe {

// By whom a page was saved.
enum class PageSource : uint8_t {
  kScanned = 1,  // the linear scan
  kFaulted = 2,  // the tracker, since the target wanted to write it
  kPaused = 3,   // inside the pause, since it can't be write-protected
};

// A mapping of the target, and which part of it is in the image.
struct SavedMapping {
  Mapping mapping;
  // All of mapping.range, only its first page (ELF headers), or nothing: empty, at its begin.
  AddressRange saved;
  bool operator==(const SavedMapping&) const = default;
};

// A range that is not in the image, and why: "filter", "dontdump", "io", "shared", "unreadable"
// (left out or copied in the pause on purpose), or for lost pages "unmapped", "discarded", "ksm",
// "unmarked".
struct RangeReason {
  AddressRange range;
  std::string reason;
  bool operator==(const RangeReason&) const = default;
};

// All of an image but its pages.
struct ImageMetadata {
  ProcessState process;
  std::vector<SavedMapping> mappings;  // by address, not overlapping
  std::vector<RangeReason>
      skipped;                   // mappings left out, and those saved another way than asked for
  uint64_t instant_unix_ns = 0;  // CLOCK_REALTIME at the instant
  uint64_t pause_ns = 0;
  uint64_t filter = 0;  // the coredump filter that was applied
  std::string kernel;   // uname -r
  std::string host;
  bool operator==(const ImageMetadata&) const = default;
};

struct SinkCounters {
  Pages zero;     // declared by Zero, or found to be zero
  Pages scanned;  // written as data, by source
  Pages faulted;
  Pages paused;
  Pages lost;
  Pages in_parent = {};     // as they are in the image's parent, so not written
  Bytes written;            // to the output, what waits in the sink to be written included
  Bytes encoded_from = {};  // what the blocks that were written would take without compression
  Bytes encoded_to = {};    // and what they take
};

// How sure it is where pages will come from.
enum class Expectation : uint8_t {
  kSoFar,    // mappings may still change
  kSettled,  // they stay: Finish will be given the same process and mappings
};

// Takes each page exactly once, in any order, and becomes visible to others only by Finish.
// AllowRepeats loosens the first.
//
// Thread rule: one thread at a time; counters() from any thread.
class PageSink {
 public:
  PageSink() = default;
  PageSink(const PageSink&) = delete;
  PageSink& operator=(const PageSink&) = delete;
  // Without a Finish that succeeded, nothing is left behind.
  virtual ~PageSink() = default;

  // `pages`: whole pages, the first one at `address`, which is page-aligned. Copied or written
  // before this returns. May block on the output.
  virtual Result<void> Write(TargetAddress address, std::span<const std::byte> pages,
                             PageSource source) = 0;
  // Pages that were never there, so zero.
  virtual Result<void> Zero(AddressRange range) = 0;
  // Pages that could not be saved.
  virtual Result<void> Lost(AddressRange range, std::string_view reason) = 0;
  // Pages that are as they are in the image's parent. Those of the range that it doesn't hold as
  // data or as zeros are not told of by this. kUnsupported by a sink without a parent.
  virtual Result<void> InParent(AddressRange range) {
    static_cast<void>(range);
    return Fail(ErrorCode::kUnsupported, "this output is no difference to an image");
  }
  // Writes the rest, syncs and publishes. Fails with kInternal unless every page of
  // metadata.mappings' saved ranges was told of exactly once.
  virtual Result<void> Finish(const ImageMetadata& metadata) = 0;
  // Makes a Write that blocks on the output return kInterrupted, now and from here on. Any thread,
  // async-signal-safe.
  virtual void Interrupt() = 0;

  // Before the first page: from here on a page may be told of again, what was told last holds, and
  // what was told of pages outside the saved ranges is dropped by Finish. Until then the counters
  // count all that was told; after it, what holds. kUnsupported by a sink that can't take back what
  // it has let out.
  virtual Result<void> AllowRepeats() {
    return Fail(ErrorCode::kUnsupported, "this output takes each page once only");
  }

  // Where the pages that follow come from: of `metadata` the process and the mappings are filled
  // in. Told as settled once, before the first page that is of the instant. Where pages are told of
  // before that (AllowRepeats) it is told before the first of them too, so far, and again when
  // mappings changed; process may be empty then. Pages of other addresses may come all the same
  // until it is settled.
  virtual Result<void> Expect(const ImageMetadata& metadata, Expectation expectation) {
    static_cast<void>(metadata);
    static_cast<void>(expectation);
    return {};
  }
  // Whether it takes pages by rising address only. Saving keeps to that where KeepsOrder(via)
  // says so, and is refused else.
  virtual bool needs_order() const { return false; }

  // Bounds the output: `pacer` is asked before each write, of at most `largest` bytes, with what is
  // about to go out. It may sleep, and its error ends the write. Set once, before the first page. A
  // sink with no output of its own may ignore it.
  virtual void SetPacer(std::function<Result<void>(Bytes)> pacer, Bytes largest) {
    static_cast<void>(pacer);
    static_cast<void>(largest);
  }

  virtual SinkCounters counters() const = 0;
};

// Where an image goes.
struct Output {
  std::string path = {};  // empty: `descriptor` is used
  int descriptor = -1;    // not closed by us
  // Replace an existing regular file, which stays whole until the new one is complete.
  bool force = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_PAGE_SINK_H_
