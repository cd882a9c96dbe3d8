// A userfaultfd in write-protect mode: what the target wants to write comes in, what it may write
// goes out.
#ifndef STILLFRAME_FAULT_FAULT_CHANNEL_H_
#define STILLFRAME_FAULT_FAULT_CHANNEL_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>

#include "base/unique_fd.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

enum class RegisterOutcome {
  kDone,
  kRefused,  // this mapping can't be write-protected
  kTaken,    // another userfaultfd has it
  kGone,     // nothing mapped there any more, or the address space is gone
};

enum class OpenOutcome {
  kOpened,
  kChanging,  // a non-fault event is unread: read it, then try again
  kGone,      // no such mapping any more
};

struct WriteFault {
  TargetAddress address;  // as faulted, not rounded
  pid_t tid = 0;          // as the thread itself knows it: of its own pid namespace
};

struct MemoryEvent {
  enum class Kind { kRemap, kRemove, kUnmap } kind;
  AddressRange range;      // kRemap: where it was
  TargetAddress moved_to;  // kRemap
};

// Both kinds can come from one read; faults are always delivered first.
struct FaultMessages {
  static constexpr size_t kMost = 16;  // as many as one read may bring
  std::array<WriteFault, kMost> faults;
  size_t fault_count = 0;
  std::array<MemoryEvent, kMost> events;
  size_t event_count = 0;
};

// Owns nothing of the target: the descriptor belongs to its Target.
//
// Thread rule: Open, OpenQuietly, Wake, IsCalm, Arm, Register and Unregister from any thread; Read
// by one. None of them allocates.
class FaultChannel {
 public:
  // The handshake. Asks for the events that would make pages of the target go or move without a
  // word (remap, remove, unmap), not for forks: an untracked child simply runs.
  //
  // `mark_holes`: armed memory has its holes marked too where it is private (since 6.4; see
  // marks_holes), so that a page can't come into being there without a fault. The marks cost page
  // tables: 2 MiB for each GiB of hole.
  static Result<FaultChannel> Connect(int userfaultfd, bool mark_holes = false);

  // The same for watching only: the kernel itself opens a page that is written, at once, and tells
  // nobody; no events. kUnsupported on kernels before 6.7.
  static Result<FaultChannel> ConnectAsync(int userfaultfd);

  // False on kernels before 5.19: shared memory and hugetlb can't be write-protected.
  bool handles_shared() const { return handles_shared_; }
  bool marks_holes() const { return marks_holes_; }
  int descriptor() const { return fd_; }

  RegisterOutcome Register(AddressRange range) const;
  // Gives up all that is registered in the range, whose pages were opened before. False where it
  // holds a mapping that knows no userfaultfd, or nothing.
  //
  // Unregistering write-protected memory walks all its page tables with the mmap lock held for
  // writing, 20 to 40 ms per GiB. So the mode is changed to missing pages first, which walks
  // nothing, and that is unregistered, which walks nothing either. In between a hole that is
  // touched waits until the second call; if we die there it becomes a page of zeros, as it would
  // have anyway.
  bool Unregister(AddressRange range) const;
  // The same for a mapping of a file, which can't be changed over: walks its page tables with the
  // mmap lock held.
  bool UnregisterFile(AddressRange range) const;
  // Write-protects. kUnsupported where nothing is registered, kTargetGone.
  Result<void> Arm(AddressRange range) const;
  // Un-protects and wakes.
  OpenOutcome Open(AddressRange range) const;
  // Un-protects only: who waits there goes on waiting until Wake.
  OpenOutcome OpenQuietly(AddressRange range) const;
  void Wake(AddressRange range) const;

  // No event is unread; costs a fraction of asking how many faults are. False where it can't be
  // told.
  bool IsCalm() const;
  // How many faults wait to be read; none when the kernel doesn't say. Zero while the descriptor is
  // readable means that a non-fault event waits, and that its cause waits for us to read it.
  std::optional<size_t> PendingFaults() const;
  // Reads at most `limit` messages without blocking.
  FaultMessages Read(size_t limit) const;

 private:
  FaultChannel(int fd, UniqueFd fdinfo, bool handles_shared, bool marks_holes)
      : fd_(fd),
        fdinfo_(std::move(fdinfo)),
        handles_shared_(handles_shared),
        marks_holes_(marks_holes) {}

  int fd_;
  UniqueFd fdinfo_;  // /proc/self/fdinfo of fd_
  bool handles_shared_;
  bool marks_holes_;
};

}  // namespace stillframe

#endif  // STILLFRAME_FAULT_FAULT_CHANNEL_H_
