// How memory is reached: another process, or our own. A session sees only this interface.
#ifndef STILLFRAME_TARGET_H_
#define STILLFRAME_TARGET_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/mapping.h"
#include "stillframe/process_state.h"
#include "stillframe/units.h"

namespace stillframe {

struct ReadOutcome {
  Bytes copied;   // how much arrived, from the first byte on
  int error = 0;  // errno that ended it; 0 when all arrived
};

struct PauseOptions {
  // Bounds one try to stop every thread.
  Duration stop_timeout = std::chrono::milliseconds(100);
  // Asked while threads are waited for, often; true makes Pause resume all and fail with
  // kInterrupted. Asked again by Fork. Must be cheap; may be called on another thread than the one
  // that waits in Pause. May be empty.
  std::function<bool()> cancelled = nullptr;
  // Pause so that Fork can be called. kUnsupported for one's own process.
  bool for_fork = false;
};

// Parts of a pause.
struct PauseTimes {
  Duration stop{0};    // from the first thread asked to stop to the last one stopped
  Duration resume{0};  // from the first thread let go to the last one; zero while paused
};

// A copy of the target's private memory that stands still: a forked child that never runs.
// Destroyed, it is killed and reaped, and the target has no trace of it; so it is as well when we
// die.
//
// Thread rule: any thread.
class FrozenMemory {
 public:
  FrozenMemory() = default;
  FrozenMemory(const FrozenMemory&) = delete;
  FrozenMemory& operator=(const FrozenMemory&) = delete;
  virtual ~FrozenMemory() = default;

  virtual pid_t pid() const = 0;
  // Its /proc/PID/pagemap.
  virtual int pagemap() const = 0;
  // As Target::Read. What it reads is certain: nobody else can have the child's pid before it is
  // reaped.
  virtual ReadOutcome Read(TargetAddress from, std::span<const iovec> to) const = 0;
  // kTargetGone when somebody killed it.
  virtual Result<void> CheckAlive() const = 0;
};

// A process whose memory is to be saved. Descriptors that it hands out stay its own and live as
// long as it does.
//
// Thread rule: Pause, Resume, AwaitSystemCalls, Fork, PrepareState and CaptureState may be called
// from any one thread at a time. Everything else may be called from any thread at any time.
class Target {
 public:
  Target() = default;
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  // Undoes a pause that is still on.
  virtual ~Target() = default;

  virtual pid_t pid() const = 0;
  // A fresh userfaultfd of the target's memory, UFFDIO_API not yet called, and the only reference
  // to it: when we die it closes, and the target resumes unprotected. O_NONBLOCK.
  virtual int userfaultfd() const = 0;
  // Makes a second one of the same memory, for what the first one can't do in its mode: a mapping
  // belongs to one userfaultfd, but each mapping to whichever it is registered with. Costs the
  // target what attaching did, within `timeout`. Harmless when there is one already. Not while
  // paused. Errors as AttachProcess; kUnsupported for one's own process.
  virtual Result<void> OpenSecondUserfaultfd(Duration timeout) {
    static_cast<void>(timeout);
    return Fail(ErrorCode::kUnsupported, "this target has one userfaultfd only");
  }
  // As userfaultfd(); -1 unless it was made.
  virtual int second_userfaultfd() const { return -1; }
  // Closes both, and so ends whatever they still hold of the target. userfaultfd() is -1 from then
  // on. No other thread may be using them.
  virtual void CloseUserfaultfd() = 0;
  // /proc/PID/pagemap, opened at attach and so bound to that address space: it reads 0 bytes after
  // an exec or exit.
  virtual int pagemap() const = 0;
  // True while the address space that was attached to is the process's own: false after exit or
  // exec.
  virtual bool IsAlive() const = 0;
  // kTargetGone with "exited" or "replaced by exec"; success while it is alive.
  virtual Result<void> CheckAlive() const = 0;

  // The mappings as they are now, by address. `details` reads smaps, which costs a walk over all
  // present pages (tens of ns a page) and fills the fields below has_details.
  virtual Result<std::vector<Mapping>> ReadMappings(bool details) const = 0;

  // Copies from `from` on into `to`, in that order. Fault path: no allocation, no log. A page that
  // isn't there or can't be read ends it early. Whose memory it was is *not* certain (pids are
  // re-used, exec happens): the copy must be proven through pagemap().
  virtual ReadOutcome Read(TargetAddress from, std::span<const iovec> to) const = 0;

  // The range that a thread of the target is about to discard: one that is blocked in madvise(2)
  // with MADV_DONTNEED, MADV_FREE, MADV_REMOVE or a relative until its event is read. Fills
  // `ranges`, returns how many. No allocation.
  virtual size_t PendingDiscards(std::span<AddressRange> ranges) const = 0;

  // Stops every thread, those born meanwhile included. Threads that don't stop in time (NFS, a
  // vfork in flight) make it resume all, wait and retry, a bounded number of times, then kLimit.
  // When it fails nothing is stopped, nor will it be by this call. May be called again after
  // Resume.
  virtual Result<void> Pause(const PauseOptions& options) = 0;
  Result<void> Pause(Duration stop_timeout) {
    return Pause(PauseOptions{.stop_timeout = stop_timeout});
  }
  // Resumes all; a stopped job stays stopped. Harmless when not paused.
  virtual Result<void> Resume() = 0;
  // Returns when every thread has been outside the kernel once since the call, and so every system
  // call that was running then is over, with what it did by DMA (a read with O_DIRECT), which no
  // page protection sees. What is done by none of the threads is not waited for: asynchronous reads
  // (AIO, io_uring). No thread waits for another one meanwhile; one that runs, or is in a call that
  // moves data, is stopped for a moment. Nothing is done while paused. `options` as with Pause;
  // kLimit when a call did not end in ten times `stop_timeout`, kInterrupted, kTargetGone.
  virtual Result<void> AwaitSystemCalls(const PauseOptions& options) = 0;
  // Forks the target, paused with for_fork: once in a pause. kUnsupported where the fork fails,
  // with the limit that made it fail; kInterrupted when PauseOptions::cancelled says so. From here
  // on, not from the pause, the two memories are equal byte for byte: to fork, one thread has to
  // run for a moment, and the kernel notes the CPU it is on in its struct rseq. It takes as long as
  // copying the page tables does, some 20 ms per GiB.
  virtual Result<std::unique_ptr<FrozenMemory>> Fork() = 0;
  // Reads, before a pause, what needn't be read inside it: all but the registers and signal masks
  // of threads. What of that may change is then as of this call: the lines of stat and status, the
  // command line, names of threads. Holds for the pause that comes next, which from its beginning
  // on also reads the registers in the background. Needless, but CaptureState is quicker after it.
  virtual Result<void> PrepareState() { return {}; }
  // Registers and all else that an ELF core needs, of a paused target.
  virtual Result<ProcessState> CaptureState() = 0;

  // From the first thread asked to stop to the last one resumed, of the last pause that succeeded.
  // While paused: so far.
  virtual Duration PauseDuration() const = 0;
  // Of the same pause.
  virtual PauseTimes Times() const { return {}; }
  // What attaching cost the target: the time one of its threads stood still for the injection. Zero
  // for one's own process.
  virtual Duration AttachDuration() const = 0;
};

struct AttachOptions {
  Duration injection_timeout = std::chrono::seconds(2);
  // Without one the target is not touched by attaching, nothing of it can be armed, and
  // userfaultfd() is -1: enough to save it while it stands still, or through a fork.
  bool userfaultfd = true;
};

// Attaches to another process, without its help: see docs/attach.md for each step and what the
// target sees if we die in it. Errors: kUsage (pid makes no sense, our own, a kernel thread, a
// zombie), kTargetGone, kPermission (not ours, traced by someone), kUnsupported (32-bit, seccomp
// that can't be suspended, no userfaultfd, memory shared with another process), kLimit (no thread
// of it could be stopped in time).
Result<std::unique_ptr<Target>> AttachProcess(pid_t pid, const AttachOptions& options = {});

// How one's own process is made to stand still. Both run on the thread that calls Pause.
struct Quiesce {
  // Brings every thread that writes into the saved ranges to rest, or fails.
  std::function<Result<void>()> quiesce;
  std::function<void()> resume;
};

// Parks every other thread of this process in the handler of a real-time signal, except those
// named. The handler is installed for the time of the pause only. A thread that blocks the signal
// makes the pause fail with kLimit.
Quiesce ParkAllThreads(int signal, std::vector<pid_t> except = {});

// The calling process itself. `ranges`: page-aligned, mapped, private anonymous or shared memory;
// only these are saved. Errors: kUsage for a range that isn't aligned or mapped.
Result<std::unique_ptr<Target>> OpenOwnProcess(std::vector<AddressRange> ranges, Quiesce quiesce);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_H_
