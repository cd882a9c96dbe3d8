#include "kernel/puppet.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace stillframe {
namespace {

// include/uapi/asm-generic/mman-common.h, 6.13.
constexpr int kMadvGuardInstall = 102;
constexpr int kMadvGuardRemove = 103;

}  // namespace

Puppet::Puppet(uint64_t pages, uint64_t holes_from) {
  const size_t size = pages * kPageSize.count;
  // Between pages that nobody may touch: as one mapping with its neighbours it would be written by
  // others too.
  const size_t guard = kPageSize.count;
  void* reserved = mmap(nullptr, size + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto* memory = static_cast<char*>(reserved) + guard;
  if (reserved == MAP_FAILED || mprotect(memory, size, PROT_READ | PROT_WRITE) != 0) std::abort();
  int orders[2];
  int answers[2];
  if (pipe2(orders, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0) {
    std::perror("puppet");
    std::abort();
  }
  range_ = {{reinterpret_cast<uint64_t>(memory)}, {reinterpret_cast<uint64_t>(memory) + size}};
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint64_t i = 0; i < holes_from; ++i) {
      std::memset(memory + i * kPageSize.count, static_cast<int>('a' + i % 26), kPageSize.count);
    }
    Obey(orders[0], answers[1]);
  }
  close(orders[0]);
  close(answers[1]);
  orders_.reset(orders[1]);
  answers_.reset(answers[0]);
  munmap(reserved, size + 2 * guard);
  Tell(Order::kWrite, 0, 0);
  uint64_t ready = 0;
  if (read(answers_.get(), &ready, sizeof(ready)) != sizeof(ready)) std::abort();
  fcntl(answers_.get(), F_SETFL, O_NONBLOCK);
}

Puppet::~Puppet() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Puppet::Tell(Order order, uint64_t page, uint64_t pages, TargetAddress to) {
  const Message message{order, Page(page).value, pages * kPageSize.count, to.value};
  if (write(orders_.get(), &message, sizeof(message)) != sizeof(message)) std::abort();
}

bool Puppet::Done() {
  uint64_t answer = 0;
  if (read(answers_.get(), &answer, sizeof(answer)) != sizeof(answer)) return false;
  moved_to_ = {answer};
  return true;
}

void Puppet::Obey(int orders, int answers) {
  Message message{};
  while (read(orders, &message, sizeof(message)) == sizeof(message)) {
    const uint64_t answer = Do(message);
    if (write(answers, &answer, sizeof(answer)) != sizeof(answer)) break;
  }
  _exit(0);
}

uint64_t Puppet::Do(const Message& message) {
  auto* at = reinterpret_cast<char*>(message.begin);
  switch (message.order) {
    case Order::kWrite:
      for (uint64_t i = 0; i < message.size; i += kPageSize.count) at[i] = '!';
      return 0;
    case Order::kWriteAside:
      std::thread([at] { *at = '!'; }).detach();
      return 0;
    case Order::kDiscard:
      return static_cast<uint64_t>(madvise(at, message.size, MADV_DONTNEED));
    case Order::kFree:
      return static_cast<uint64_t>(madvise(at, message.size, MADV_FREE));
    case Order::kUnmap:
      return static_cast<uint64_t>(munmap(at, message.size));
    case Order::kMove:
      return reinterpret_cast<uint64_t>(mremap(at, message.size, message.size,
                                               MREMAP_MAYMOVE | MREMAP_FIXED,
                                               reinterpret_cast<void*>(message.to)));
    case Order::kMapOver:
      if (mmap(at, message.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
               -1, 0) == MAP_FAILED) {
        return 1;
      }
      at[0] = '!';
      return 0;
    case Order::kHuge:
      return static_cast<uint64_t>(madvise(at, message.size, MADV_HUGEPAGE));
    case Order::kGuard:
      return static_cast<uint64_t>(madvise(at, message.size, kMadvGuardInstall));
    case Order::kUnguard:
      return static_cast<uint64_t>(madvise(at, message.size, kMadvGuardRemove));
    case Order::kMergeable:
      return static_cast<uint64_t>(madvise(at, message.size, MADV_MERGEABLE));
    case Order::kReadOnly:
      return static_cast<uint64_t>(mprotect(at, message.size, PROT_READ));
    case Order::kExit:
      _exit(0);
    case Order::kExec:
      execl("/bin/sleep", "sleep", "1000", nullptr);
      _exit(1);
  }
  return 0;
}

}  // namespace stillframe
