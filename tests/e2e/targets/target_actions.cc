#include "targets/target_actions.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <map>
#include <thread>
#include <vector>

#include "evaluate/page_pattern.h"

namespace stillframe::test {
namespace {

using evaluate::FillPage;
using evaluate::FindWrongWord;
using evaluate::kPageBytes;

size_t HalfBytes(const TargetMemory& memory) { return memory.pages / 2 * kPageBytes; }
std::byte* SecondHalf(const TargetMemory& memory) { return memory.anonymous + HalfBytes(memory); }

bool WritePages(const TargetMemory& memory, uint64_t generation) {
  for (size_t i = 0; i < memory.pages; ++i) {
    FillPage(memory.anonymous + i * kPageBytes, kTargetSeed, i, generation);
  }
  return true;
}

bool PagesAre(const TargetMemory& memory, uint64_t generation) {
  for (size_t i = 0; i < memory.pages; ++i) {
    if (FindWrongWord(memory.anonymous + i * kPageBytes, kTargetSeed, i, generation)) return false;
  }
  return true;
}

bool Write(TargetMemory& memory) { return WritePages(memory, 2); }

bool Unmap(TargetMemory& memory) { return munmap(SecondHalf(memory), HalfBytes(memory)) == 0; }

bool Replace(TargetMemory& memory) {
  return mmap(SecondHalf(memory), HalfBytes(memory), PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

bool Resize(TargetMemory& memory, size_t pages, int flags, void* place) {
  void* moved = mremap(memory.anonymous, memory.pages * kPageBytes, pages * kPageBytes,
                       MREMAP_MAYMOVE | flags, place);
  if (moved == MAP_FAILED) return false;
  memory.anonymous = static_cast<std::byte*>(moved);
  memory.pages = pages;
  return WritePages(memory, 2);
}

bool Remap(TargetMemory& memory) {
  void* place =
      mmap(nullptr, memory.pages * kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return place != MAP_FAILED && Resize(memory, memory.pages, MREMAP_FIXED, place);
}

bool Grow(TargetMemory& memory) { return Resize(memory, memory.pages * 2, 0, nullptr); }

bool DontNeed(TargetMemory& memory) {
  return madvise(SecondHalf(memory), HalfBytes(memory), MADV_DONTNEED) == 0;
}

bool Free(TargetMemory& memory) {
  if (madvise(SecondHalf(memory), HalfBytes(memory), MADV_FREE) != 0) return false;
  return WritePages(memory, 2);
}

bool Punch(TargetMemory& memory) {
  const auto half = static_cast<off_t>(HalfBytes(memory));
  return fallocate(memory.memfd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, half, half) == 0;
}

bool Remove(TargetMemory& memory) {
  return madvise(memory.shared + HalfBytes(memory), HalfBytes(memory), MADV_REMOVE) == 0;
}

bool Truncate(TargetMemory& memory) {
  return ftruncate(memory.memfd.get(), static_cast<off_t>(HalfBytes(memory))) == 0;
}

constexpr intptr_t kHeapStep = 8 << 20;

bool GrowHeap(TargetMemory&) {
  auto* fresh = static_cast<std::byte*>(sbrk(kHeapStep));
  if (fresh == reinterpret_cast<std::byte*>(-1)) return false;
  for (size_t i = 0; i < kHeapStep / kPageBytes; ++i) {
    FillPage(fresh + i * kPageBytes, kTargetSeed, i, 1);
  }
  return true;
}

// The upper half of what was added: malloc may have some of its own just above the rest.
bool ShrinkHeap(TargetMemory&) { return sbrk(-kHeapStep / 2) != reinterpret_cast<void*>(-1); }

bool WaitFor(pid_t child) {
  int status = 1;
  return waitpid(child, &status, 0) == child && status == 0;
}

bool Spawn(TargetMemory& memory) {
  for (int i = 0; i < 10; ++i) {
    char name[] = "true";
    char* const arguments[] = {name, nullptr};
    pid_t child = 0;
    if (posix_spawn(&child, "/bin/true", nullptr, nullptr, arguments, environ) != 0) return false;
    if (!WritePages(memory, static_cast<uint64_t>(i) + 2) || !WaitFor(child)) return false;
  }
  return PagesAre(memory, 11);
}

// A frame of its own for what the child shares with us.
[[gnu::noinline]] pid_t VforkTrue() {
  const pid_t child = vfork();
  if (child == 0) {
    execl("/bin/true", "true", nullptr);
    _exit(1);
  }
  return child;
}

bool Vfork(TargetMemory& memory) {
  for (int i = 0; i < 10; ++i) {
    const pid_t child = VforkTrue();
    if (child < 0 || !WaitFor(child)) return false;
  }
  return PagesAre(memory, 1) && WritePages(memory, 2);
}

bool Protect(const TargetMemory& memory, int protection) {
  return mprotect(memory.anonymous, memory.pages * kPageBytes, protection) == 0;
}
bool ReadOnly(TargetMemory& memory) { return Protect(memory, PROT_READ); }
bool NoAccess(TargetMemory& memory) { return Protect(memory, PROT_NONE); }

bool Threads(TargetMemory& memory) {
  for (int round = 0; round < 5; ++round) {
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&memory, t] {
        for (size_t i = t; i < memory.pages; i += 4) {
          FillPage(memory.anonymous + i * kPageBytes, kTargetSeed, i, 2);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  return PagesAre(memory, 2);
}

bool Fork(TargetMemory& memory) {
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    const bool inherited = PagesAre(memory, 1);
    WritePages(memory, 3);
    _exit(inherited && PagesAre(memory, 3) ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  // The child's writes are its own.
  return status == 0 && PagesAre(memory, 1) && WritePages(memory, 2) && PagesAre(memory, 2);
}

bool Exec(TargetMemory&) {
  execl("/bin/sleep", "sleep", "60", nullptr);
  return false;
}

bool Exit(TargetMemory&) { _exit(0); }

bool Undumpable(TargetMemory&) { return prctl(PR_SET_DUMPABLE, 0) == 0; }

// What an injection would want to call, and what could be mistaken for harmless, kills.
bool Seccomp(TargetMemory&) {
  constexpr int kAllowed[] = {SYS_read,  SYS_write,        SYS_exit_group,     SYS_exit,
                              SYS_futex, SYS_rt_sigreturn, SYS_restart_syscall};
  std::vector<sock_filter> filter;
  const auto add = [&](int code, uint32_t k, uint8_t jump_true, uint8_t jump_false) {
    filter.push_back({static_cast<uint16_t>(code), jump_true, jump_false, k});
  };
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr), 0, 0);
  for (const int call : kAllowed) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1);
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
  }
  add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
  const sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                           .filter = filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool Userfaultfd(TargetMemory& memory) {
  // Kept open on purpose: it is there as long as we are.
  const int fd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
  uffdio_api api = {};
  api.api = UFFD_API;
  if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0) return false;
  uffdio_register range = {};
  range.range.start = reinterpret_cast<uint64_t>(memory.anonymous);
  range.range.len = memory.pages * kPageBytes;
  range.mode = UFFDIO_REGISTER_MODE_WP;
  return ioctl(fd, UFFDIO_REGISTER, &range) == 0;
}

}  // namespace

bool DoAction(const std::string& action, TargetMemory& memory) {
  static const std::map<std::string, bool (*)(TargetMemory&)> actions = {
      {"write", Write},
      {"unmap", Unmap},
      {"replace", Replace},
      {"remap", Remap},
      {"grow", Grow},
      {"dontneed", DontNeed},
      {"free", Free},
      {"punch", Punch},
      {"remove", Remove},
      {"truncate", Truncate},
      {"grow-heap", GrowHeap},
      {"shrink-heap", ShrinkHeap},
      {"spawn", Spawn},
      {"vfork", Vfork},
      {"readonly", ReadOnly},
      {"noaccess", NoAccess},
      {"threads", Threads},
      {"fork", Fork},
      {"exec", Exec},
      {"exit", Exit},
      {"seccomp", Seccomp},
      {"undumpable", Undumpable},
      {"userfaultfd", Userfaultfd}};
  const auto found = actions.find(action);
  return found != actions.end() && found->second(memory);
}

}  // namespace stillframe::test
