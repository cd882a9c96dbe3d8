// Saving a target while it runs.
#ifndef STILLFRAME_SAVE_H_
#define STILLFRAME_SAVE_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/save_trace.h"
#include "stillframe/target.h"
#include "stillframe/throttle.h"
#include "stillframe/units.h"

namespace stillframe {

enum class OnLost {
  kKeep,   // the image is kept, the lost ranges are listed in it
  kAbort,  // the image is given up at the first one, with kLimit
};

// How the memory of the instant is kept until it is written. One image format for all.
enum class Via {
  // Write protection: a short pause, then each page that the target writes is copied first.
  kWriteProtect,
  // A forked child that never runs is saved: nothing is lost to munmap, at the price of the fork's
  // pause and of memory for what the target writes meanwhile.
  kFork,
  // The target stands still throughout.
  kStop,
  // Copied in rounds while the target runs, what it wrote since again; the rest inside the pause.
  // No write ever waits and nothing is lost, but the pause grows with the write rate. Linux 6.7.
  kPrecopy,
};

// What it is called in options and reports.
constexpr std::string_view ViaName(Via via) {
  switch (via) {
    case Via::kWriteProtect:
      return "wp";
    case Via::kFork:
      return "fork";
    case Via::kStop:
      return "stop";
    case Via::kPrecopy:
      return "precopy";
  }
  return "";
}

// Whether pages saved that way can go to a sink by rising address.
constexpr bool KeepsOrder(Via via) { return via == Via::kFork || via == Via::kStop; }

// When the instant of the image is, under write protection.
enum class Instant {
  kNow,   // as soon as the memory is armed
  kLate,  // after the memory was copied once, so that only what was written since has to be saved
};

constexpr std::string_view InstantName(Instant instant) {
  return instant == Instant::kNow ? "now" : "late";
}

// How the thread that serves the target's writes waits for the next one.
enum class TrackerWait {
  kAuto,   // spins for a moment after each, while a CPU is idle; then sleeps
  kSpin,   // never sleeps while memory is armed: soonest to answer, and takes a CPU for itself
  kBlock,  // sleeps
};

constexpr std::string_view TrackerWaitName(TrackerWait wait) {
  switch (wait) {
    case TrackerWait::kAuto:
      return "auto";
    case TrackerWait::kSpin:
      return "spin";
    case TrackerWait::kBlock:
      return "block";
  }
  return "";
}

// What is done when a write finds no room in the stage.
enum class OnFull {
  kWait,   // the write waits for room, at most max_stall
  kSpill,  // pages go to a file on a disk, up to its limit; beyond it, or if it fails, as kAbort
  kAbort,  // the image is given up
};

// What is done when the pause takes longer than its limit.
enum class OverPauseLimit {
  kKeep,   // it is reported
  kAbort,  // the image is given up, with kLimit, as soon as that is known
};

// What a save that way needs of its target: a userfaultfd, or to be left alone.
inline AttachOptions AttachOptionsFor(Via via) {
  AttachOptions options;
  options.userfaultfd = via == Via::kWriteProtect || via == Via::kPrecopy;
  return options;
}

struct SaveOptions {
  // One's own process: kWriteProtect only. The throttle, the stage and max_stall are for that one
  // only too.
  Via via = Via::kWriteProtect;
  ThrottleOptions throttle = {};
  Bytes max_bandwidth{0};  // per second, all bytes to the output; zero: no limit. At least 64 KiB.
  Bytes stage = MiB(64);   // at least 1 MiB, at most 64 GiB
  // The longest a write of the target may wait for room in the stage; then the image is given up.
  // At least 1 ms.
  Duration max_stall = std::chrono::seconds(1);
  TrackerWait tracker = TrackerWait::kAuto;
  OnLost on_lost = OnLost::kKeep;
  // kLate: of kWriteProtect only, not of one's own process, and to a sink that allows repeats.
  Instant instant = Instant::kNow;
  // What is done inside the pause may take so long, the stopping and resuming of threads and
  // at_instant left out. At least 10 us.
  Duration pause_limit = std::chrono::milliseconds(1);
  OverPauseLimit over_pause_limit = OverPauseLimit::kKeep;
  OnFull on_full = OnFull::kSpill;
  // Of kSpill: where the unnamed file is made. Empty: /var/tmp, which is refused with kUsage if it
  // is in memory itself.
  std::string spill_dir = {};
  // Of kSpill: how much may lie there at one time, at least 1 MiB. Unset: the smaller of the memory
  // to be saved and half of what is free there.
  std::optional<Bytes> spill_limit = std::nullopt;
  // Runs on the session's thread at the instant of the image, everything armed, the target standing
  // still. An error gives the save up. Not bounded here: bound it yourself.
  std::function<Result<void>(pid_t pid)> at_instant = nullptr;
  Duration stop_timeout = std::chrono::milliseconds(100);
  std::optional<uint64_t> filter =
      std::nullopt;  // as /proc/PID/coredump_filter; unset: the target's own
  bool include_dontdump = false;
  // Filled with what the save sees while it runs; not owned, outlives the session. Null: nothing is
  // recorded. Empty where no scan runs beside the target.
  SaveTrace* trace = nullptr;
};

// Percentiles of the waits, in microseconds.
struct WaitSummary {
  uint64_t count = 0;
  uint64_t p50 = 0;
  uint64_t p99 = 0;
  uint64_t p999 = 0;
  uint64_t max = 0;
};

// What the pause was spent on. The rest of it is the reading of mappings and registers.
struct PauseSummary {
  Duration stop{0};    // from the first thread asked to stop to the last one stopped
  Duration arm{0};     // write-protecting, and finding out which pages there are
  Duration copy{0};    // of pages that have to be copied inside it
  Duration resume{0};  // from the first thread let go to the last one
  bool limit_met = true;
};

// What was done while the target ran, before the pause, to make that short.
struct PrearmSummary {
  uint64_t rounds = 0;
  Duration duration{0};
  Pages logged;         // pages written meanwhile, each as often as it had to be armed again
  Duration slowed{0};   // for how long writes were held back, all together, so that rounds converge
  Duration stopped{0};  // for how long the target stood still for the registering of its memory
};

// Rounds of copying while the target runs.
struct RoundsSummary {
  uint64_t count = 0;
  Bytes copied;
};

struct SaveSummary {
  pid_t pid = 0;
  Via via = Via::kWriteProtect;
  Instant instant = Instant::kNow;
  TrackerWait tracker = TrackerWait::kAuto;  // as it was asked for
  Duration attach{0};
  Duration pause{0};  // first thread asked to stop to last one resumed, less at_instant
  PauseSummary paused;
  PrearmSummary prearm;
  RoundsSummary rounds;
  Duration at_instant{0};
  Duration duration{0};
  Bytes memory;  // all of what the image describes
  Bytes image;
  Pages total;  // zero + scanned + faulted + paused + lost
  SinkCounters pages;
  WaitSummary wait;
  std::string policy;  // "none" where nothing is throttled
  ThrottleCounters throttle;
  Bytes stage_size;
  Bytes stage_peak;
  Bytes stage_spilled;      // all that went to the spill file
  uint64_t stage_full = 0;  // how often a fault found no room
  uint64_t unmaps = 0;      // unmap events of the target after the instant
  std::vector<RangeReason> skipped;
  std::vector<RangeReason> lost;
  // More than a tenth of the target's resident memory was left out.
  bool skipped_much = false;
};

enum class SavePhase : uint8_t { kAttaching, kPausing, kSaving, kFinishing, kDone };

struct SaveProgress {
  SavePhase phase = SavePhase::kAttaching;
  Pages total;  // pages that have to be copied
  Pages done;
  Bytes written;
  uint64_t faults = 0;
  Bytes stage_used;
  bool holding_back = false;  // the throttle pushes nothing at present
  Duration elapsed{0};
};

// One save of one target. Thread rule: Run on the thread that made the target; Cancel and Progress
// from any thread.
class SaveSession {
 public:
  // Errors: kUsage for an option outside its range; kLimit for a stage that is more than the memory
  // available; kOutput or kPermission where no page could be spilled to spill_dir.
  static Result<std::unique_ptr<SaveSession>> Create(std::unique_ptr<Target> target,
                                                     std::unique_ptr<PageSink> sink,
                                                     SaveOptions options);
  virtual ~SaveSession() = default;

  // Once. Whatever it returns, the target then runs and nothing of it is protected any more;
  // without success the sink was not finished.
  virtual Result<SaveSummary> Run() = 0;
  // After Run, as far as that came: also what a save that was given up cost the target.
  virtual SaveSummary Summary() const = 0;
  // Makes Run give up with kInterrupted. Async-signal-safe.
  virtual void Cancel() = 0;
  virtual SaveProgress Progress() const = 0;
};

// The whole of it: checks the options, opens the output, attaches, saves. Nothing is touched before
// all earlier steps succeeded.
Result<SaveSummary> SaveProcess(pid_t pid, const Output& output, SaveOptions options = {});

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_H_
