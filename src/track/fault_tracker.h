// Serves the target's write faults: copies the page to the stage, opens it, and so wakes the
// writer. It never waits for the output.
#ifndef STILLFRAME_TRACK_FAULT_TRACKER_H_
#define STILLFRAME_TRACK_FAULT_TRACKER_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "base/latency_histogram.h"
#include "base/mapped_memory.h"
#include "fault/fault_channel.h"
#include "fault/fault_log.h"
#include "stillframe/target.h"
#include "sys/event_fd.h"
#include "track/discard_saver.h"
#include "track/fault_server.h"
#include "track/stage.h"
#include "track/tracked_memory.h"
#include "track/wake_list.h"

namespace stillframe {

// A passive object that one thread drives: OnReadable when the userfaultfd has something, Step
// always. It is a thread of its own that drives it, apart from the saver's: only then is the time
// noted when a fault *arrives*, and not when somebody gets round to reading it. Between reading a
// fault and opening its page nothing allocates, logs, or takes a lock.
//
// A fault that can't be served at once (no room in the stage, the scan is just copying the page, an
// event must be read first) waits in a list that each Step goes through. Events are read whatever
// waits: until they are, nothing can be opened at all.
//
// Thread rule: SetMemory, SetMode and the counters from any thread; the rest by the one that drives
// it.
class FaultTracker {
 public:
  enum class Mode {
    kIdle,     // nothing is armed; events are read and forgotten
    kArming,   // memory is being armed, the target runs: note which page it is, open
    kHolding,  // the target stands still; faults of the kernel's own workers wait for the resume,
               // so that memory stays as it was
    kServing,  // copy, open
    kOpening,  // the save is over: open, copy nothing
  };

  struct Options {
    Duration max_stall = std::chrono::seconds(1);
    Duration discard_limit =
        std::chrono::milliseconds(5);  // for pages that are about to be discarded
  };

  // Faults that can wait at once: as many as threads that can be stuck in one.
  static constexpr size_t kMostWaiting = 32768;

  static constexpr size_t kMostOwnThreads = 4;

  FaultTracker(const FaultChannel& channel, const Target& target, Stage& stage, FaultLog& log,
               const Clock& clock, const Options& options);

  // Before anything of it is armed, or while the target stands still.
  void SetMemory(TrackedMemory* memory) { memory_.store(memory); }
  void SetMode(Mode mode);
  // While arming: how long a write is made to wait before its page is opened, so that less is
  // written. Zero at first.
  void SetSlowdown(Duration each) { slowdown_ns_.store(each.count(), std::memory_order_relaxed); }
  // Returns once nothing that was decided in an earlier mode, or about an earlier memory, is still
  // being done. Microseconds; not for the tracker's own thread.
  void AwaitTurn() const;
  // A thread of our own that runs while our own process is saved: its faults are served even while
  // holding, and from a reserve. At most kMostOwnThreads.
  void AddOwnThread(pid_t tid);
  // The scan opened what it had claimed; a writer may have been waiting for that.
  void OnScanOpened() {
    if (awaits_scan_.load(std::memory_order_relaxed)) wake_.Notify();
  }
  // There is armed memory, and nobody keeps it as it is: a fault may come, and would be served.
  bool MayFault() const {
    const Mode mode = mode_.load(std::memory_order_relaxed);
    return mode != Mode::kIdle && mode != Mode::kHolding;
  }
  // Readable when Step has something new to do.
  const EventFd& wake() const { return wake_; }

  void OnReadable();
  void Step();
  // How long the thread may sleep at most.
  Duration SleepLimit() const;

  // True once a fault waited for room longer than max_stall; from then on everything is only
  // opened.
  bool gave_up() const { return gave_up_.load(std::memory_order_acquire); }
  // It gave up at once, since the stage said that no room was to be waited for.
  bool found_no_room() const { return no_room_.load(std::memory_order_acquire); }
  const LatencyHistogram& waits() const { return waits_; }
  uint64_t stage_full() const { return stage_full_.load(std::memory_order_relaxed); }
  // How long writes were held back by SetSlowdown, all together.
  Duration slowed() const { return Duration(slowed_ns_.load(std::memory_order_relaxed)); }
  uint64_t unmaps() const { return unmaps_.load(std::memory_order_relaxed); }

 private:
  struct Waiting {
    TargetAddress address;
    TimePoint arrival;
    FaultRecord* record;
    pid_t tid;          // 0: unknown
    bool logged;        // it has been told to the log, if it had a record left
    bool ours;          // a thread of our own
    bool counted_full;  // it has found the stage full before
  };

  // What is found out in one Step.
  struct Round {
    const Mode mode;
    TrackedMemory* const memory;
    bool room_wanted = false;
    bool awaits_scan = false;
    bool event_first = false;
  };

  // Brackets what depends on mode and memory, for AwaitTurn.
  class Turn {
   public:
    explicit Turn(std::atomic<uint64_t>& turns) : turns_(turns) { turns_.fetch_add(1); }
    ~Turn() { turns_.fetch_add(1); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    std::atomic<uint64_t>& turns_;
  };

  // How much to read so that an event which pages have to be saved ahead of stays unread; none:
  // such an event is all there is.
  std::optional<size_t> FaultsToRead();
  void SaveAhead(TrackedMemory& memory);
  void ReadMessages(TrackedMemory& memory, size_t limit);
  void ForgetEarlierFaultOf(pid_t tid);
  void TakeIn(const FaultMessages& messages);
  bool IsOwnThread(pid_t tid) const;
  void Apply(const MemoryEvent& event, TrackedMemory& memory);
  void MarkStale(const MemoryEvent& event, TrackedMemory& memory);
  void MarkUnmapped(AddressRange range, TrackedMemory& memory);

  bool IsHeld(const Waiting& fault, Mode mode) const;
  bool IsSlowed(const Waiting& fault, Mode mode) const;
  // False when it goes on waiting.
  bool LookAfter(Waiting& fault, Round& round);
  Served Serve(Waiting& fault, Mode mode, TrackedMemory* memory);
  // Unless it knows of it.
  void TellLog(Waiting& fault, const Round& round);
  // Wakes the output, now and then.
  void AnnounceStaged();
  // Wakes those in served_ and tells the log. [0, kept) and those from `next` on go on waiting.
  void EndServed(const Round& round, size_t kept, size_t next);
  void GiveUpForRoom();
  void GiveUp();

  const FaultChannel& channel_;
  Stage& stage_;
  FaultLog& log_;
  const Clock& clock_;
  const Options options_;
  EventFd wake_;

  // Set by others.
  std::atomic<TrackedMemory*> memory_ = nullptr;
  std::atomic<Mode> mode_ = Mode::kIdle;
  std::atomic<int64_t> slowdown_ns_ = 0;
  std::array<std::atomic<pid_t>, kMostOwnThreads> own_threads_ = {};

  // The tracker's own.
  FaultServer server_;
  DiscardSaver discards_;
  TimePoint next_save_ahead_;
  MappedArray<Waiting> waiting_;
  size_t waiting_count_ = 0;
  std::array<Waiting, WakeList::kMost> served_ = {};  // to be woken together
  size_t served_count_ = 0;
  bool room_wanted_ = false;
  TimePoint announced_;  // the output was woken last
  // So many times it may be taken that one fault waits where no event does.
  uint32_t quick_looks_ = 0;

  // Read by others.
  std::atomic<uint64_t> turns_ = 0;  // odd while something is being done
  std::atomic<int64_t> slowed_ns_ = 0;
  std::atomic<bool> gave_up_ = false;
  std::atomic<bool> no_room_ = false;
  std::atomic<bool> awaits_scan_ = false;
  std::atomic<uint64_t> stage_full_ = 0;
  std::atomic<uint64_t> unmaps_ = 0;
  LatencyHistogram waits_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_FAULT_TRACKER_H_
