// Copies all memory of a process that stands still, by other means than the saver's.
#ifndef STILLFRAME_TESTS_SUPPORT_ORACLE_COPY_H_
#define STILLFRAME_TESTS_SUPPORT_ORACLE_COPY_H_

#include <sys/types.h>

#include <string>

#include "stillframe/error.h"

namespace stillframe::test {

// Writes into `directory`, which is there. Leaves the process as it was: pages that it doesn't have
// are not read, so that no hole becomes a page by being looked at.
Result<void> CopyMemory(pid_t pid, const std::string& directory);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_ORACLE_COPY_H_
