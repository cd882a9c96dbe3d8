// What can't be attached to is refused with the reason, and is left as it was.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>
#include <vector>

#include "attach_child.h"

namespace stillframe::test {
namespace {

void ExpectRefused(pid_t pid, ErrorCode code, const std::string& why) {
  const auto target = AttachProcess(pid);
  ASSERT_FALSE(target.has_value());
  EXPECT_EQ(target.error().code, code) << target.error().message;
  EXPECT_NE(target.error().message.find(why), std::string::npos) << target.error().message;
}

TEST(AttachRefused, NumbersThatAreNoProcess) {
  ExpectRefused(0, ErrorCode::kUsage, "above zero");
  ExpectRefused(-1, ErrorCode::kUsage, "above zero");
  ExpectRefused(0x7fffffff, ErrorCode::kTargetGone, "no such process");
}

TEST(AttachRefused, Ourselves) { ExpectRefused(getpid(), ErrorCode::kUsage, "this very process"); }

TEST(AttachRefused, KernelThread) {
  if (!ReadAll("/proc/2/stat").starts_with("2 (kthreadd)")) GTEST_SKIP() << "in a pid namespace";
  ExpectRefused(2, ErrorCode::kUsage, "kernel thread");
}

TEST(AttachRefused, Zombie) {
  Child child([](Board&) {});
  ASSERT_TRUE(Eventually([&] { return child.State() == "Z"; }));
  ExpectRefused(child.pid(), ErrorCode::kUsage, "zombie");
}

TEST(AttachRefused, ThreadThatIsNoLeader) {
  Child child([](Board& board) {
    std::thread([&] {
      board.value[0] = gettid();
      board.ready = 1;
      pause();
    }).join();
  });
  child.AwaitReady();
  ExpectRefused(static_cast<pid_t>(child.board().value[0]), ErrorCode::kUsage, "a thread");
}

TEST(AttachRefused, TracedByAnother) {
  Child child([](Board& board) {
    board.ready = 1;
    pause();
  });
  child.AwaitReady();
  Child tracer([&](Board& board) {
    board.failures = ptrace(PTRACE_SEIZE, child.pid(), 0, 0) != 0;
    board.ready = 1;
    pause();
  });
  tracer.AwaitReady();
  ASSERT_EQ(tracer.board().failures, 0u);
  ExpectRefused(child.pid(), ErrorCode::kPermission,
                "process " + std::to_string(tracer.pid()) + " traces it already");
  EXPECT_EQ(child.State(), "S");
}

// pause() for ever: mov eax, 29; int 0x80; jmp back.
constexpr std::array<unsigned char, 0x54 + 9> kTiny32 = {
    0x7f, 'E',  'L',  'F',  1,    1,    1,    0,    0,
    0,    0,    0,    0,    0,    0,    0,  // class 32, little-endian
    2,    0,    3,    0,    1,    0,    0,    0,    0x54,
    0x80, 0x04, 0x08, 0x34, 0,    0,    0,  // EXEC, 386, entry, phoff
    0,    0,    0,    0,    0,    0,    0,    0,    0x34,
    0,    0x20, 0,    1,    0,    0,    0,  // no sections, one segment
    0,    0,    0,    0,                    //
    1,    0,    0,    0,    0,    0,    0,    0,    0x00,
    0x80, 0x04, 0x08, 0x00, 0x80, 0x04, 0x08,  // LOAD
    0x5d, 0,    0,    0,    0x5d, 0,    0,    0,    5,
    0,    0,    0,    0,    0x10, 0,    0,  // sizes, r-x
    0xb8, 29,   0,    0,    0,    0xcd, 0x80, 0xeb, 0xf7};

TEST(AttachRefused, ThirtyTwoBitProgram) {
  const int file = static_cast<int>(syscall(SYS_memfd_create, "tiny32", 0));
  ASSERT_EQ(write(file, kTiny32.data(), kTiny32.size()), static_cast<ssize_t>(kTiny32.size()));
  Child child([&](Board& board) {
    char* arguments[] = {nullptr, nullptr};
    char name[] = "tiny32";
    arguments[0] = name;
    fexecve(file, arguments, arguments + 1);
    board.failures = 1;
    pause();
  });
  close(file);
  ASSERT_TRUE(Eventually([&] {
    return child.ProcFile("comm") != ReadAll("/proc/self/comm") || child.board().failures != 0;
  }));
  if (child.board().failures != 0) GTEST_SKIP() << "the kernel runs no 32-bit programs";
  ExpectRefused(child.pid(), ErrorCode::kUnsupported, "32-bit");
  EXPECT_TRUE(Eventually([&] { return child.State() == "S"; }));
}

TEST(AttachRefused, MemorySharedWithAnotherProcess) {
  Child child([](Board& board) {
    static std::array<char, 65536> stack;
    const auto run = [](void* b) -> int {
      static_cast<Board*>(b)->ready = 1;
      for (;;) pause();
    };
    const int other = clone(run, stack.data() + stack.size(), CLONE_VM | SIGCHLD, &board);
    board.value[0] = other;
    while (board.stop == 0) usleep(1000);
    kill(other, SIGKILL);
    waitpid(other, nullptr, 0);
  });
  child.AwaitReady();
  ASSERT_TRUE(Eventually([&] { return child.board().value[0] != 0; }));
  ExpectRefused(child.pid(), ErrorCode::kUnsupported,
                "process " + std::to_string(child.board().value[0]) + " shares its memory");
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachRefused, MemorySharedWithTwoProcessesOneOfWhichGoesAway) {
  Child child([](Board& board) {
    static std::array<std::array<char, 65536>, 2> stacks;
    const auto leave = [](void*) -> int {
      usleep(100'000);
      return 0;
    };
    const auto stay = [](void*) -> int {
      for (;;) pause();
    };
    clone(leave, stacks[0].data() + stacks[0].size(), CLONE_VM | SIGCHLD, nullptr);
    const int other = clone(stay, stacks[1].data() + stacks[1].size(), CLONE_VM | SIGCHLD, nullptr);
    board.value[0] = other;
    board.ready = 1;
    while (board.stop == 0) usleep(1000);
    kill(other, SIGKILL);
    waitpid(other, nullptr, 0);
  });
  child.AwaitReady();
  ExpectRefused(child.pid(), ErrorCode::kUnsupported,
                "process " + std::to_string(child.board().value[0]) + " shares its memory");
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachRefused, SecondPauseOfTheSameTarget) {
  Child child([](Board& board) {
    board.ready = 1;
    pause();
  });
  child.AwaitReady();
  auto first = AttachProcess(child.pid());
  auto second = AttachProcess(child.pid());
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(second.has_value()) << "attaching alone excludes nobody";
  ASSERT_TRUE((*first)->Pause(std::chrono::seconds(2)).has_value());
  ExpectRefused(child.pid(), ErrorCode::kPermission, "traces it already");
  ASSERT_TRUE((*first)->Resume().has_value());
  EXPECT_TRUE(Eventually([&] { return child.State() == "S"; }));
}

TEST(AttachGone, ExitIsTold) {
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) usleep(1000);
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  EXPECT_TRUE((*target)->IsAlive());
  child.board().stop = 1;
  ASSERT_EQ(child.AwaitEnd(), 0);
  EXPECT_FALSE((*target)->IsAlive());
  const auto alive = (*target)->CheckAlive();
  ASSERT_FALSE(alive.has_value());
  EXPECT_EQ(alive.error().code, ErrorCode::kTargetGone);
  EXPECT_NE(alive.error().message.find("exited"), std::string::npos);
  EXPECT_EQ((*target)->Pause(std::chrono::seconds(1)).error().code, ErrorCode::kTargetGone);
  EXPECT_EQ((*target)->ReadMappings(false).error().code, ErrorCode::kTargetGone);
}

TEST(AttachGone, ExecIsTold) {
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) usleep(1000);
    execl("/bin/sleep", "sleep", "100", nullptr);
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  child.board().stop = 1;
  ASSERT_TRUE(Eventually([&] { return child.ProcFile("comm") == "sleep\n"; }));
  ASSERT_TRUE(Eventually([&] { return !(*target)->IsAlive(); }));
  const auto alive = (*target)->CheckAlive();
  ASSERT_FALSE(alive.has_value());
  EXPECT_NE(alive.error().message.find("replaced by exec"), std::string::npos);
}

TEST(AttachGone, KillWhilePausedEndsThePause) {
  Child child([](Board& board) {
    std::thread([] { pause(); }).detach();
    board.ready = 1;
    pause();
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value());
  ASSERT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
  kill(child.pid(), SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !(*target)->IsAlive(); }));
  EXPECT_TRUE((*target)->Resume().has_value());
  EXPECT_TRUE(WIFSIGNALED(child.AwaitEnd()));
}

}  // namespace
}  // namespace stillframe::test
