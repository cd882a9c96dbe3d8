#include "evaluate/spawner.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {

Spawner::Spawner(uint64_t seed)
    : memory_(MappedMemory::Anonymous(kPageBytes)), pages_("spawn", memory_.data(), 1, seed) {}

void Spawner::Step() {
  pages_.Check(0);
  pages_.Write(0);
  char name[] = "true";
  char* const arguments[] = {name, nullptr};
  pid_t child = 0;
  if (const int error = posix_spawn(&child, "/bin/true", nullptr, nullptr, arguments, environ)) {
    errno = error;
    FailCall("spawn", "posix_spawn /bin/true");
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) FailCall("spawn", "waitpid");
  }
  if (status != 0) {
    errno = ECHILD;
    FailCall("spawn", "/bin/true ended with wait status " + std::to_string(status));
  }
  pages_.Check(0);
}

}  // namespace stillframe::evaluate
