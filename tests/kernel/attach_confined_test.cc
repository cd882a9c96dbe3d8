// Targets with fewer rights than we have: another user, no core dumps, seccomp, namespaces, no
// descriptor left. None of them keeps a trace of having been attached to.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <thread>
#include <vector>

#include "attach_child.h"

namespace stillframe::test {
namespace {

constexpr uid_t kNobody = 65534;

void DropRights() {
  if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(3);
}

// Runs and checks itself until told to stop, after `confine`.
std::function<void(Board&)> Confined(const std::function<void()>& confine) {
  return [confine](Board& board) {
    confine();
    board.ready = 1;
    while (board.stop == 0) {
      ++board.progress;
      usleep(500);
    }
  };
}

void ExpectAttachable(const Child& child) {
  child.AwaitReady();
  const std::string files = child.OpenFiles();
  const std::string maps = child.ProcFile("maps");
  EXPECT_EQ(AttachAndPause(child.pid(), 10), "");
  EXPECT_TRUE(child.Progresses());
  EXPECT_EQ(child.OpenFiles(), files);
  EXPECT_EQ(child.ProcFile("maps"), maps);
}

void ExpectEndsWell(Child& child) {
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachConfined, NothingIsLeftInAPlainTarget) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(Confined([] {}));
  ExpectAttachable(child);
  ExpectEndsWell(child);
}

TEST(AttachConfined, UnprivilegedUser) {
  if (!CanAttach()) GTEST_SKIP();
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  Child child(Confined(DropRights));
  ExpectAttachable(child);
  EXPECT_EQ(child.StatusField("Uid").substr(0, 5), "65534");
  ExpectEndsWell(child);
}

TEST(AttachConfined, NotDumpable) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(Confined([] { prctl(PR_SET_DUMPABLE, 0); }));
  ExpectAttachable(child);
  ExpectEndsWell(child);
}

TEST(AttachConfined, UserPidAndMountNamespaces) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) != 0) {
      board.failures = 1;
      board.ready = 1;
      return;
    }
    const pid_t inner = fork();  // pid 1 of the new namespace
    if (inner == 0) {
      while (board.stop == 0) {
        ++board.progress;
        usleep(500);
      }
      _exit(0);
    }
    board.value[0] = inner;
    board.ready = 1;
    int status = 0;
    waitpid(inner, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  });
  child.AwaitReady();
  if (child.board().failures != 0) GTEST_SKIP() << "no user namespaces here";
  const auto inner = static_cast<pid_t>(child.board().value[0]);
  EXPECT_EQ(AttachAndPause(inner, 10), "");
  EXPECT_TRUE(child.Progresses());
  ExpectEndsWell(child);
}

// A filter that kills the process at each call in the list.
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

const std::vector<long> kInjected = {SYS_userfaultfd, SYS_ioctl, SYS_socketpair, SYS_recvmsg,
                                     SYS_close,       SYS_mmap,  SYS_munmap};

TEST(AttachConfined, FilterThatKillsOnEveryInjectedCall) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(Confined([] { KillAt(kInjected); }));
  ExpectAttachable(child);
  EXPECT_EQ(child.StatusField("Seccomp"), "2") << "the filter is still there";
  ExpectEndsWell(child);
}

TEST(AttachConfined, FilterThatKillsAndUnprivilegedUser) {
  if (!CanAttach()) GTEST_SKIP();
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  Child child(Confined([] {
    DropRights();
    KillAt(kInjected);
  }));
  ExpectAttachable(child);
  ExpectEndsWell(child);
}

TEST(AttachConfined, TheFilterWorksAgainAfterwards) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    KillAt(kInjected);
    board.ready = 1;
    while (board.stop == 0) usleep(500);
    syscall(SYS_userfaultfd, 0);
  });
  child.AwaitReady();
  EXPECT_EQ(AttachAndPause(child.pid(), 3), "");
  child.board().stop = 1;
  const int status = child.AwaitEnd();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << status;
}

TEST(AttachConfined, WithoutTheRightToSuspendSeccompItIsRefused) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(Confined([] { KillAt(kInjected); }));
  child.AwaitReady();
  // A tracer that is filtered itself may not suspend a filter.
  Child attacher([&](Board& board) {
    KillAt({SYS_reboot});
    const auto target = AttachProcess(child.pid());
    board.value[0] = target ? -1 : static_cast<int64_t>(target.error().code);
  });
  EXPECT_EQ(attacher.AwaitEnd(), 0);
  EXPECT_EQ(attacher.board().value[0], static_cast<int64_t>(ErrorCode::kPermission));
  EXPECT_TRUE(child.Progresses());
  ExpectEndsWell(child);
}

TEST(AttachConfined, NoDescriptorLeft) {
  if (!CanAttach()) GTEST_SKIP();
  if (getuid() != 0) GTEST_SKIP() << "needs root";
  // userfaultfd(2) takes one; the way by the device takes two at a time.
  struct Case {
    bool unprivileged;
    unsigned spare;
    bool enough;
  };
  for (const Case& c : {Case{false, 0, false}, Case{false, 1, true}, Case{true, 0, false},
                        Case{true, 1, false}, Case{true, 2, true}}) {
    SCOPED_TRACE(std::string(c.unprivileged ? "nobody, " : "root, ") + std::to_string(c.spare));
    Child child(Confined([&] {
      const int next = dup(0);
      close(next);
      const rlim_t most = static_cast<rlim_t>(next) + c.spare;
      const rlimit limit{.rlim_cur = most, .rlim_max = most};
      setrlimit(RLIMIT_NOFILE, &limit);
      if (c.unprivileged) DropRights();
    }));
    child.AwaitReady();
    const std::string files = child.OpenFiles();
    const std::string maps = child.ProcFile("maps");
    const auto target = AttachProcess(child.pid());
    EXPECT_EQ(target.has_value(), c.enough);
    if (!target) {
      EXPECT_EQ(target.error().code, ErrorCode::kUnsupported) << target.error().message;
      EXPECT_NE(target.error().message.find("no file descriptor left"), std::string::npos)
          << target.error().message;
    }
    EXPECT_TRUE(child.Progresses());
    EXPECT_EQ(child.OpenFiles(), files);
    EXPECT_EQ(child.ProcFile("maps"), maps);
    ExpectEndsWell(child);
  }
}

TEST(AttachConfined, ThreadWithADescriptorTableOfItsOwn) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    std::thread([&board] {
      if (unshare(CLONE_FILES) != 0) ++board.failures;
      close(0);
      for (;;) {
        ++board.progress;
        usleep(500);
      }
    }).detach();
    board.ready = 1;
    volatile uint64_t spin = 0;
    // Never in a system call, so that the other thread is preferred.
    while (board.stop == 0) spin = spin + 1;
  });
  child.AwaitReady();
  EXPECT_EQ(AttachAndPause(child.pid(), 10), "");
  EXPECT_TRUE(child.Progresses());
  EXPECT_EQ(child.board().failures, 0u);
  ExpectEndsWell(child);
}

}  // namespace
}  // namespace stillframe::test
