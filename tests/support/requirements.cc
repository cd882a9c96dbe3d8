#include "support/requirements.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <sstream>

#include "base/unique_fd.h"

namespace stillframe::test {

bool SkipsAreFailures() {
  const char* value = std::getenv("STILLFRAME_NO_SKIP");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

std::string MissingUserfaultfd() {
  const UniqueFd fd(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK)));
  return fd ? "" : "userfaultfd(2)";
}

std::string MissingRoot() { return geteuid() == 0 ? "" : "root"; }

std::string MissingProgram(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (access((directory + "/" + name).c_str(), X_OK) == 0) return "";
  }
  return "the program " + name;
}

}  // namespace stillframe::test
