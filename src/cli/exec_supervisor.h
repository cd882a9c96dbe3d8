// The process that runs a command for us and does not let it outlive us.
//
// It is forked before anything else exists, so it holds no descriptor of the target and costs
// nothing in the pause. All that the command starts becomes its child in the end (it is a
// subreaper), whatever groups or sessions they make.
#ifndef STILLFRAME_CLI_EXEC_SUPERVISOR_H_
#define STILLFRAME_CLI_EXEC_SUPERVISOR_H_

#include <sys/types.h>

#include <cstdint>

namespace stillframe {

// To the supervisor, a packet each.
struct ExecRequest {
  int32_t pid = 0;  // run the command for this target; 0: kill whatever runs
};

// From the supervisor, a packet each.
struct ExecOutcome {
  enum Kind : int32_t {
    kEnded = 1,   // `detail` is the wait status
    kKilled = 2,  // on request; nothing of it runs any more
    kFailed = 3,  // could not be started: `detail` is errno
  };
  int32_t kind = kFailed;
  int32_t detail = 0;
};

// Runs in the forked child and ends it. `socket`: SOCK_SEQPACKET to the command, whose end of file
// means that the command is gone. `parent`: a pidfd of the command, or -1; it tells the same even
// if someone else inherited the socket.
[[noreturn]] void RunExecSupervisor(int socket, int parent, const char* command);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_EXEC_SUPERVISOR_H_
