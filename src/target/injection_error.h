// Puts an injection's failure into words.
#ifndef STILLFRAME_TARGET_INJECTION_ERROR_H_
#define STILLFRAME_TARGET_INJECTION_ERROR_H_

#include <sys/types.h>

#include "stillframe/error.h"
#include "target/injection_report.h"

namespace stillframe {

// Of a report whose step is not kDone.
Error ExplainInjection(const InjectionReport& report, pid_t pid);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_INJECTION_ERROR_H_
