#include "support/subprocess.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "support/files.h"

namespace stillframe::test {
namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentWith(const std::map<std::string, std::string>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!added.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

// In the child, between fork and exec: only what is safe there.
[[noreturn]] void BecomeChild(const std::vector<char*>& argv, const std::vector<char*>& environment,
                              const SubprocessOptions& options, int out, int err) {
  // All signals as a fresh program has them.
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int in = options.stdin_fd >= 0 ? options.stdin_fd : open("/dev/null", O_RDONLY);
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(127);
  syscall(SYS_close_range, 3U, ~0U, 0U);
  if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(127);
  if (options.user != 0) {
    const gid_t group = options.user;
    if (setgroups(0, nullptr) != 0 || setgid(group) != 0 || setuid(options.user) != 0) _exit(127);
    // A change of user clears it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 1);
  }
  execvpe(argv[0], argv.data(), environment.data());
  const char text[] = "exec failed\n";
  [[maybe_unused]] const ssize_t n = write(2, text, sizeof(text) - 1);
  _exit(127);
}

UniqueFd MakeCapture(const char* name) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC));
  if (!fd) Die("memfd_create");
  // Written through a descriptor with a position of its own, in append mode.
  return fd;
}

UniqueFd OpenForAppend(const UniqueFd& capture) {
  const std::string path = "/proc/self/fd/" + std::to_string(capture.get());
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!fd) Die("open of a memfd");
  return fd;
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t n = pread(fd, buffer, sizeof(buffer), static_cast<off_t>(text.size()));
    if (n <= 0) return text;
    text.append(buffer, static_cast<size_t>(n));
  }
}

}  // namespace

Subprocess::Subprocess(const std::vector<std::string>& argv, const SubprocessOptions& options)
    : out_(MakeCapture("out")), err_(MakeCapture("err")) {
  std::vector<std::string> arguments = argv;
  std::vector<std::string> environment = EnvironmentWith(options.environment);
  const std::vector<char*> argument_pointers = Pointers(arguments);
  const std::vector<char*> environment_pointers = Pointers(environment);
  const UniqueFd out_writer = OpenForAppend(out_);
  const UniqueFd err_writer = OpenForAppend(err_);
  const int out = options.stdout_fd >= 0 ? options.stdout_fd : out_writer.get();
  pid_ = fork();
  if (pid_ < 0) Die("fork");
  if (pid_ == 0) {
    BecomeChild(argument_pointers, environment_pointers, options, out, err_writer.get());
  }
  pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) Die("pidfd_open");
}

Subprocess::~Subprocess() {
  if (!pidfd_ || exit_) return;
  Signal(SIGCONT);
  Signal(SIGKILL);
  Wait(60);
}

std::optional<int> Subprocess::Wait(double seconds) {
  if (exit_) return exit_;
  pollfd entry{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  if (poll(&entry, 1, static_cast<int>(seconds * 1000)) <= 0) return std::nullopt;
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return std::nullopt;
  exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_;
}

void Subprocess::Signal(int signal) const {
  // By descriptor: never another process that got the number since.
  syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
}

std::string Subprocess::Out() const { return ReadAll(out_.get()); }
std::string Subprocess::Err() const { return ReadAll(err_.get()); }

bool Subprocess::WaitForOut(const std::string& text, double seconds) {
  const auto found = [&] { return Out().find(text) != std::string::npos; };
  return Eventually([&] { return found() || !IsRunning(); }, seconds) && found();
}

bool Subprocess::WaitForErr(const std::string& text, double seconds) {
  const auto found = [&] { return Err().find(text) != std::string::npos; };
  return Eventually([&] { return found() || !IsRunning(); }, seconds) && found();
}

Finished RunToEnd(const std::vector<std::string>& argv, const SubprocessOptions& options,
                  double seconds) {
  Subprocess process(argv, options);
  const std::optional<int> exit_code = process.Wait(seconds);
  return {.exit_code = exit_code.value_or(-1), .out = process.Out(), .err = process.Err()};
}

}  // namespace stillframe::test
