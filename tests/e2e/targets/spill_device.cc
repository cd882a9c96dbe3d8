// Loaded into the command under test (LD_PRELOAD): a disk under its spill file that stalls, fails
// or lies, as STILLFRAME_TEST_SPILL_DEVICE says:
//
//   stall:N:MS    the Nth write (from 1) takes MS milliseconds longer
//   fail:N:ERRNO  the Nth write and all behind it fail
//   lie:N         what the Nth write leaves there is not what was written
//
// The spill file is what is written by pwritev(2), and nothing else is.
#include <dlfcn.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

struct Behaviour {
  char what[8] = {};
  long at = 0;
  long amount = 0;
};

Behaviour behaviour;
std::atomic<long> writes = 0;

__attribute__((constructor)) void ReadBehaviour() {
  const char* text = std::getenv("STILLFRAME_TEST_SPILL_DEVICE");
  if (text != nullptr) {
    std::sscanf(text, "%7[a-z]:%ld:%ld", behaviour.what, &behaviour.at, &behaviour.amount);
  }
  // Nothing that the command starts is to have it.
  unsetenv("LD_PRELOAD");
}

bool Is(const char* what) { return std::strcmp(behaviour.what, what) == 0; }

}  // namespace

extern "C" ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  using Function = ssize_t (*)(int, const iovec*, int, off_t);
  static const auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "pwritev"));
  const long number = ++writes;
  if (Is("fail") && number >= behaviour.at) {
    errno = static_cast<int>(behaviour.amount);
    return -1;
  }
  if (Is("stall") && number == behaviour.at) {
    const timespec wait{.tv_sec = behaviour.amount / 1000,
                        .tv_nsec = behaviour.amount % 1000 * 1'000'000};
    nanosleep(&wait, nullptr);
  }
  const ssize_t written = next(fd, parts, count, offset);
  if (Is("lie") && number == behaviour.at) {
    char byte = 0;
    if (pread(fd, &byte, 1, offset + 1000) == 1) {
      byte = static_cast<char>(byte ^ 1);
      if (pwrite(fd, &byte, 1, offset + 1000) != 1) std::perror("spill_device");
    }
  }
  return written;
}
