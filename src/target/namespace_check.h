// Whether a process's children are born where it lives itself.
#ifndef STILLFRAME_TARGET_NAMESPACE_CHECK_H_
#define STILLFRAME_TARGET_NAMESPACE_CHECK_H_

#include <sys/types.h>

#include "target/injection_report.h"

namespace stillframe {

// kNamespace for a thread that has called unshare(2) or setns(2) for the pid or time namespace of
// its children. The first child would become that namespace's first process, and with its end no
// other could ever be born there. `process`: /proc/PID. No allocation; async-signal-safe.
InjectionFailure CheckNamespaces(int process, pid_t tid);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_NAMESPACE_CHECK_H_
