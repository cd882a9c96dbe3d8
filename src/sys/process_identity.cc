#include "sys/process_identity.h"

#include <fcntl.h>

#include "sys/proc_file.h"
#include "sys/process_status.h"

namespace stillframe {

Result<ProcessIdentity> ReadProcessIdentity(pid_t pid) {
  ProcessIdentity identity;
  identity.pid = pid;
  STILLFRAME_ASSIGN(identity.boot_id, ReadFileAt(AT_FDCWD, "/proc/sys/kernel/random/boot_id",
                                                 "reading which boot this is"));
  while (identity.boot_id.ends_with('\n')) identity.boot_id.pop_back();
  const auto stat = ReadStat(AT_FDCWD, ProcPath("/proc/", pid, "stat").c_str());
  if (!stat) return Fail(ErrorCode::kTargetGone, "there is no process " + std::to_string(pid));
  identity.start_time = stat->start_time;
  const pid_t live = LiveThreadOf(pid);
  identity.executable = ReadLinkAt(AT_FDCWD, ProcPath("/proc/", live, "exe").c_str());
  return identity;
}

}  // namespace stillframe
