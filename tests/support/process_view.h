// What /proc tells of a process, for tests that ask whether it was left as it was.
#ifndef STILLFRAME_TESTS_SUPPORT_PROCESS_VIEW_H_
#define STILLFRAME_TESTS_SUPPORT_PROCESS_VIEW_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace stillframe::test {

// The field of /proc/PID/status, without its name and blanks; empty when there is none.
std::string StatusField(pid_t pid, const std::string& field);
// 'R', 'S', 'T', 't', 'Z', ...; '?' when there is no such process.
char StateOf(pid_t pid);
// Descriptor -> what it points at.
std::map<int, std::string> DescriptorsOf(pid_t pid);
// The number of the system call that a thread of it is blocked in; -1 when it runs, is on its way
// into or out of the kernel, or is gone.
long CallOf(pid_t pid, pid_t thread);
std::vector<pid_t> ThreadsOf(pid_t pid);
std::vector<pid_t> ChildrenOf(pid_t pid);

// Empty when no thread of the process is stopped or traced and no descriptor is that of a
// userfaultfd or was not there `before`; else what is wrong.
std::string TracesLeftOn(pid_t pid, const std::map<int, std::string>& before);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_PROCESS_VIEW_H_
