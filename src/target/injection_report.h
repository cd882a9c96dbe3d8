// What the injection helper tells the process that started it, in one message over a socket between
// the two.
#ifndef STILLFRAME_TARGET_INJECTION_REPORT_H_
#define STILLFRAME_TARGET_INJECTION_REPORT_H_

#include <cstdint>

namespace stillframe {

// The step that failed.
enum class InjectionStep : uint32_t {
  kDone,
  kFindThread,  // none could be stopped; `error` of the last one tried
  kSeize,
  kThirtyTwoBit,
  kSuspendSeccomp,
  kFindInstruction,
  kPrepare,
  kUserfaultfd,  // the system call
  kOpenDevice,   // userfaultfd(2) was refused, and /dev/userfaultfd could not be opened
  kScratchPage,
  kSocketPair,
  kPassDevice,
  kCreateFromDevice,
  kTakeDescriptor,
  kOpenMemory,
  kClose,
  kRelease,
  kRevoked,      // the time was up before anything was changed
  kNamespace,    // its children are born in another namespace than its own
  kFork,         // the clone(2)
  kFrozenChild,  // the child was killed, or could not be opened
};

// Why a step failed: `step` is kDone when it did not.
struct InjectionFailure {
  InjectionStep step = InjectionStep::kDone;
  int error = 0;
};

struct InjectionReport {
  InjectionStep step = InjectionStep::kDone;
  int32_t error = 0;       // errno
  int32_t thread = 0;      // the thread that was used, or tried last
  int32_t call_error = 0;  // why userfaultfd(2) was refused, when the device was tried after it
  int64_t stopped_ns = 0;  // how long that thread stood still
};
static_assert(sizeof(InjectionReport) == 24);

// The descriptors that come with a report of success, in this order.
enum InjectionFd { kInjectedUserfaultfd, kInjectedMemory, kInjectedPagemap, kInjectedFdCount };

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_INJECTION_REPORT_H_
