// A target that does what it is told: scripted_target MIB FIFO
//
// Fills MIB MiB of private and as much of shared memory, prints "ready ANONYMOUS SHARED PAGES",
// then does what each line of FIFO says and answers "done ACTION" or "failed ACTION".
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/unique_fd.h"
#include "evaluate/page_pattern.h"
#include "targets/target_actions.h"
#include "targets/target_memory.h"

namespace {

using stillframe::UniqueFd;
using stillframe::evaluate::FillPage;
using stillframe::evaluate::kPageBytes;
using stillframe::test::kTargetSeed;
using stillframe::test::TargetMemory;

std::byte* Map(size_t size, int flags, int fd) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) {
    std::perror("mmap");
    std::exit(1);
  }
  return static_cast<std::byte*>(memory);
}

TargetMemory MakeMemory(size_t pages) {
  TargetMemory memory;
  memory.pages = pages;
  memory.memfd = UniqueFd(memfd_create("scripted", MFD_CLOEXEC));
  if (ftruncate(memory.memfd.get(), static_cast<off_t>(pages * kPageBytes)) != 0) std::exit(1);
  memory.anonymous = Map(pages * kPageBytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  memory.shared = Map(pages * kPageBytes, MAP_SHARED, memory.memfd.get());
  for (size_t i = 0; i < pages; ++i) {
    FillPage(memory.anonymous + i * kPageBytes, kTargetSeed, i, 1);
    FillPage(memory.shared + i * kPageBytes, kTargetSeed + 1, i, 1);
  }
  return memory;
}

// One write(2) per answer, no buffer, no lock: the seccomp filter leaves little else.
void Say(const std::string& line) {
  [[maybe_unused]] const ssize_t n = write(STDOUT_FILENO, line.data(), line.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  TargetMemory memory = MakeMemory(std::strtoul(argv[1], nullptr, 10) * 256);
  // Both ends, so that it never ends.
  const UniqueFd fifo(open(argv[2], O_RDWR | O_CLOEXEC));
  if (!fifo) return 2;
  char ready[128];
  std::snprintf(ready, sizeof(ready), "ready %zu %zu %zu\n",
                reinterpret_cast<size_t>(memory.anonymous), reinterpret_cast<size_t>(memory.shared),
                memory.pages);
  Say(ready);
  std::string action;
  for (;;) {
    char byte = 0;
    const ssize_t n = read(fifo.get(), &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n != 1) return 1;
    if (byte != '\n') {
      action.push_back(byte);
      continue;
    }
    const bool done = stillframe::test::DoAction(action, memory);
    Say((done ? "done " : "failed ") + action +
        (done ? "" : std::string(": ") + std::strerror(errno)) + "\n");
    action.clear();
  }
}
