// What the scripted target can be told to do.
#ifndef STILLFRAME_TESTS_E2E_TARGETS_TARGET_ACTIONS_H_
#define STILLFRAME_TESTS_E2E_TARGETS_TARGET_ACTIONS_H_

#include <string>

#include "targets/target_memory.h"

namespace stillframe::test {

// Does it; false for a word that means nothing, or when a system call failed (errno says why).
//
//   write        a new generation to every page of the private memory
//   unmap        the second half of it goes away
//   replace      another mapping takes the place of the second half
//   remap        all of it moves to another address and is written there
//   grow         it grows, moving if it must
//   dontneed     the second half is discarded; `free`: by MADV_FREE, and written again
//   punch        a hole in the second half of the shared memory's file
//   remove       the second half of the shared memory by MADV_REMOVE
//   truncate     its file loses its second half
//   grow-heap    brk goes up by 8 MiB, which are written; `shrink-heap`: down by 4 of them
//   spawn        ten children by posix_spawn, all of it written beside each
//   vfork        ten children by vfork and exec
//   readonly     all of it becomes read-only; `noaccess`: not accessible
//   threads      twenty threads start, write and end
//   fork         a child that writes all of it; what both have is then checked
//   exec, exit   another program takes our place; the end
//   seccomp      from now on, most system calls kill us
//   undumpable   PR_SET_DUMPABLE 0
//   userfaultfd  we register a userfaultfd of our own on the private memory
bool DoAction(const std::string& action, TargetMemory& memory);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_TARGETS_TARGET_ACTIONS_H_
