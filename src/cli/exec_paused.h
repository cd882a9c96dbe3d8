// --exec-paused: a command that runs at the instant of the image, bounded in time, and that dies
// with us.
#ifndef STILLFRAME_CLI_EXEC_PAUSED_H_
#define STILLFRAME_CLI_EXEC_PAUSED_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// Thread rule: Run on any one thread; Cancel from any thread.
class ExecPaused {
 public:
  // Forks the supervisor. Call it before any thread is started and before anything is opened that a
  // child must not hold.
  static Result<std::unique_ptr<ExecPaused>> Start(const std::string& command);
  ExecPaused(const ExecPaused&) = delete;
  ExecPaused& operator=(const ExecPaused&) = delete;
  // Ends what the command left running, too.
  ~ExecPaused();

  // Once. Runs the command through `sh -c`, STILLFRAME_PID=`target` in its environment, stdin
  // /dev/null, output to our stderr. Errors: kInternal (ended with another status than 0, or could
  // not be started), kLimit (still ran after `timeout`), kInterrupted (Cancel). By then nothing of
  // it runs any more.
  Result<void> Run(pid_t target, Duration timeout);

  // Makes Run end the command and fail with kInterrupted, now or as soon as it is called.
  // Async-signal-safe.
  void Cancel();

 private:
  ExecPaused(pid_t supervisor, UniqueFd socket, UniqueFd cancel);

  Result<void> Kill(Error reason);

  pid_t supervisor_;
  UniqueFd socket_;
  UniqueFd cancel_;  // an eventfd
};

}  // namespace stillframe

#endif  // STILLFRAME_CLI_EXEC_PAUSED_H_
