// A child process whose output is captured, and which never outlives the test.
#ifndef STILLFRAME_TESTS_SUPPORT_SUBPROCESS_H_
#define STILLFRAME_TESTS_SUPPORT_SUBPROCESS_H_

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace stillframe::test {

struct SubprocessOptions {
  std::map<std::string, std::string> environment = {};  // added to ours
  std::string directory = {};                           // where it runs; empty: here
  int stdin_fd = -1;                                    // -1: /dev/null
  int stdout_fd = -1;                                   // -1: captured
  uid_t user = 0;                                       // drops to this user and group when not 0
};

// Thread rule: one thread, which must outlive the child (it is killed when that thread ends).
class Subprocess {
 public:
  // argv[0] is searched in PATH. Ends the test program when nothing can be started.
  explicit Subprocess(const std::vector<std::string>& argv, const SubprocessOptions& options = {});
  Subprocess(Subprocess&&) = default;
  Subprocess& operator=(Subprocess&&) = delete;
  // Kills it by its pid.
  ~Subprocess();

  pid_t pid() const { return pid_; }
  // Exit code, or 128 + the signal that ended it; nothing when it still runs after `seconds`.
  std::optional<int> Wait(double seconds = 60);
  bool IsRunning() { return !Wait(0).has_value(); }
  void Signal(int signal) const;

  // What it has printed so far.
  std::string Out() const;
  std::string Err() const;
  // Waits until the output holds `text`; false when it ends or `seconds` pass before.
  bool WaitForOut(const std::string& text, double seconds = 30);
  bool WaitForErr(const std::string& text, double seconds = 30);

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd out_;
  UniqueFd err_;
  std::optional<int> exit_;
};

// Exit code, output: for a command that is over soon.
struct Finished {
  int exit_code = -1;  // -1: it had to be killed after `seconds`
  std::string out;
  std::string err;
};
Finished RunToEnd(const std::vector<std::string>& argv, const SubprocessOptions& options = {},
                  double seconds = 60);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_SUBPROCESS_H_
