// Targets that may not fork, and such as would be harmed by it: refused with the limit that it was,
// and left as they were. Filters that kill on any call of ours do no harm.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>
#include <string>
#include <vector>

#include "attach_fork_child.h"

namespace stillframe::test {
namespace {

constexpr uid_t kNobody = 65534;

void DropRights() {
  if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(3);
}

void KillAt(const std::vector<long>& calls) {
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const long call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{.len = static_cast<unsigned short>(program.size()),
                          .filter = program.data()};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) _exit(4);
}

// Runs until told to stop, after `confine`; then does `last`.
std::function<void(Board&)> Confined(
    const std::function<void()>& confine, const std::function<void(Board&)>& last = [](Board&) {}) {
  return [confine, last](Board& board) {
    confine();
    board.ready = 1;
    while (board.stop == 0) {
      ++board.progress;
      usleep(500);
    }
    last(board);
  };
}

void ExpectForkable(Child& child) {
  child.AwaitReady();
  const std::string files = child.OpenFiles();
  const std::string maps = child.ProcFile("maps");
  EXPECT_EQ(ForkAndDrop(child.pid(), 10), "");
  EXPECT_TRUE(child.Progresses());
  EXPECT_EQ(child.OpenFiles(), files);
  EXPECT_EQ(child.ProcFile("maps"), maps);
  EXPECT_EQ(ChildrenOf(child.pid()), "");
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

void ExpectRefused(Child& child, const std::string& why) {
  child.AwaitReady();
  {
    const Forked forked = ForkTarget(child.pid());
    EXPECT_EQ(forked.frozen, nullptr);
    EXPECT_EQ(forked.code, ErrorCode::kUnsupported);
    EXPECT_NE(forked.error.find(why), std::string::npos) << forked.error;
  }
  EXPECT_EQ(ChildrenOf(child.pid()), "");
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().failures, 0u);
}

TEST(AttachForkConfined, UnprivilegedUser) {
  if (!CanAttach()) GTEST_SKIP();
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  Child child(Confined(DropRights));
  ExpectForkable(child);
}

// The calling thread, and what it starts, may not send signals to other users' processes.
class WithoutCapKill {
 public:
  WithoutCapKill() {
    EXPECT_EQ(syscall(SYS_capget, &header_, before_), 0);
    __user_cap_data_struct now[2] = {before_[0], before_[1]};
    now[CAP_TO_INDEX(CAP_KILL)].effective &= ~CAP_TO_MASK(CAP_KILL);
    EXPECT_EQ(syscall(SYS_capset, &header_, now), 0);
  }
  ~WithoutCapKill() { EXPECT_EQ(syscall(SYS_capset, &header_, before_), 0); }
  WithoutCapKill(const WithoutCapKill&) = delete;
  WithoutCapKill& operator=(const WithoutCapKill&) = delete;

 private:
  __user_cap_header_struct header_{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct before_[2] = {};
};

TEST(AttachForkConfined, AnotherUsersWhenWeMayNotSignalIt) {
  if (!CanAttach()) GTEST_SKIP();
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  Child child(Confined(DropRights));
  child.AwaitReady();
  const WithoutCapKill confined;
  ASSERT_NE(kill(child.pid(), 0), 0);
  ExpectForkable(child);
}

TEST(AttachForkConfined, NotDumpable) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(Confined([] { prctl(PR_SET_DUMPABLE, 0); }));
  ExpectForkable(child);
}

TEST(AttachForkConfined, FilterThatKillsOnEveryInjectedCall) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(Confined([] { KillAt({SYS_clone, SYS_wait4, SYS_close_range}); }));
  ExpectForkable(child);
}

TEST(AttachForkConfined, UserMayHaveNoMoreProcesses) {
  if (!CanAttach()) GTEST_SKIP();
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  Child child(Confined([] {
    const rlimit limit{.rlim_cur = 1, .rlim_max = 1};
    setrlimit(RLIMIT_NPROC, &limit);
    DropRights();
  }));
  ExpectRefused(child, "RLIMIT_NPROC is 1");
}

// A cgroup of its own for one process, where version 1 or 2 is mounted in the usual place.
class PidsCgroup {
 public:
  PidsCgroup() {
    for (const char* root : {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"}) {
      path_ = std::string(root) + "/stillframe-test-" + std::to_string(getpid());
      if (mkdir(path_.c_str(), 0755) != 0) continue;
      if (access((path_ + "/pids.max").c_str(), W_OK) == 0) return;
      rmdir(path_.c_str());
    }
    path_.clear();
  }
  ~PidsCgroup() {
    if (!path_.empty()) Eventually([&] { return rmdir(path_.c_str()) == 0; });
  }
  PidsCgroup(const PidsCgroup&) = delete;
  PidsCgroup& operator=(const PidsCgroup&) = delete;

  bool good() const { return !path_.empty(); }
  bool Write(const std::string& file, const std::string& text) const {
    std::ofstream out(path_ + "/" + file);
    out << text << std::flush;
    return out.good();
  }

 private:
  std::string path_;
};

TEST(AttachForkConfined, CgroupMayHaveNoMoreProcesses) {
  if (!CanAttach()) GTEST_SKIP();
  const PidsCgroup cgroup;
  if (!cgroup.good()) GTEST_SKIP() << "no cgroup with a pids controller can be made here";
  Child child(Confined([] {}));
  child.AwaitReady();
  ASSERT_TRUE(cgroup.Write("cgroup.procs", std::to_string(child.pid())));
  ASSERT_TRUE(cgroup.Write("pids.max", "1"));
  ExpectRefused(child, "pids.max, 1 processes");
}

// Two neighbours become one mapping, that is larger than what the kernel would promise at once.
bool MapMoreThanThereIs() {
  struct sysinfo system {};
  sysinfo(&system);
  const uint64_t all = (system.totalram + system.totalswap) * system.mem_unit;
  const uint64_t part = all / 5 * 3 & ~uint64_t{4095};
  const auto map = [](void* at, size_t size, int protection, int flags) {
    return mmap(at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  };
  void* const both = map(nullptr, 2 * part, PROT_NONE, MAP_NORESERVE);
  if (both == MAP_FAILED) return false;
  void* const second = static_cast<char*>(both) + part;
  return map(both, part, PROT_READ | PROT_WRITE, MAP_FIXED) == both &&
         map(second, part, PROT_READ | PROT_WRITE, MAP_FIXED) == second;
}

TEST(AttachForkConfined, MappingLargerThanTheKernelPromisesTwice) {
  if (!CanAttach()) GTEST_SKIP();
  if (ReadAll("/proc/sys/vm/overcommit_memory") != "0\n") {
    GTEST_SKIP() << "the kernel promises more, or less, than it does by default";
  }
  Child child(Confined([] {
    if (!MapMoreThanThereIs()) _exit(3);
  }));
  ExpectRefused(child, "one of its mappings is larger than memory and swap");
}

TEST(AttachForkConfined, ChildrenThatWouldBeTheFirstOfAPidNamespace) {
  if (!CanAttach()) GTEST_SKIP();
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  const auto fork_after_all = [](Board& board) {
    const pid_t own = fork();
    if (own == 0) _exit(getpid() == 1 ? 0 : 1);
    int status = -1;
    if (waitpid(own, &status, 0) != own || status != 0) ++board.failures;
  };
  Child child(Confined(
      [] {
        if (unshare(CLONE_NEWPID) != 0) _exit(3);
      },
      fork_after_all));
  ExpectRefused(child, "another pid or time namespace");
}

TEST(AttachForkConfined, UserfaultfdOfItsOwnThatIsToldOfForks) {
  if (!CanAttach()) GTEST_SKIP();
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  Child child(Confined([] {
    const auto fd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC));
    uffdio_api api{.api = UFFD_API, .features = UFFD_FEATURE_EVENT_FORK, .ioctls = 0};
    if (ioctl(fd, UFFDIO_API, &api) != 0) _exit(3);
  }));
  ExpectRefused(child, "would be told of the fork");
}

}  // namespace
}  // namespace stillframe::test
