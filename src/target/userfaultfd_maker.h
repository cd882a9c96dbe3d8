// Makes a userfaultfd inside the target, through a stopped thread of it, and takes it away.
#ifndef STILLFRAME_TARGET_USERFAULTFD_MAKER_H_
#define STILLFRAME_TARGET_USERFAULTFD_MAKER_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/unique_fd.h"
#include "stillframe/units.h"
#include "target/injection_report.h"
#include "target/remote_thread.h"

namespace stillframe {

// Leaves nothing behind in the target, whatever fails: no descriptor, no mapping.
// No allocation. Thread rule: the thread that made it.
class UserfaultfdMaker {
 public:
  // Borrows everything. `memory`: the thread's /proc/PID/mem, read-write. `pidfd`: of a process or
  // thread with the same descriptor table as the thread. `device`: an open /dev/userfaultfd, or -1
  // and errno in `device_error`.
  UserfaultfdMaker(RemoteThread* thread, int memory, int pidfd, int device, int device_error)
      : thread_(thread),
        memory_(memory),
        pidfd_(pidfd),
        device_(device),
        device_error_(device_error) {}

  // By userfaultfd(2), or where the target may not call that, by the device. Fills in step and
  // errors of `report` when it fails.
  UniqueFd Make(InjectionReport* report);

 private:
  class RemoteFd;
  class RemotePage;

  UniqueFd Fail(InjectionReport* report, InjectionStep step, int64_t result);
  // Takes descriptor `fd` of the target and closes it there.
  UniqueFd Take(RemoteFd* fd, InjectionReport* report);
  UniqueFd MakeFromDevice(InjectionReport* report);
  // The target's number for our open device, or below zero -errno and the step.
  int64_t PassDeviceIn(const RemotePage& page, InjectionReport* report);
  int64_t ReceiveDevice(const RemotePage& page, int socket);

  RemoteThread* thread_;
  int memory_;
  int pidfd_;
  int device_;
  int device_error_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_USERFAULTFD_MAKER_H_
