// A fork of the target: its memory stands still, and when it is dropped the target has no trace of
// it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <sstream>
#include <thread>
#include <vector>

#include "attach_bodies.h"
#include "attach_fork_child.h"
#include "attach_hold_registers.h"

namespace stillframe::test {
namespace {

TEST(AttachFork, CopyStandsStillWhileTheTargetWritesOn) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(CountInAllWords);
  child.AwaitReady();
  ASSERT_TRUE(child.Progresses());
  Forked forked = ForkTarget(child.pid());
  ASSERT_EQ(forked.error, "");
  std::vector<uint64_t> first(kWords);
  std::vector<uint64_t> second(kWords);
  const auto read = [&](std::vector<uint64_t>* to) {
    const iovec part{.iov_base = to->data(), .iov_len = sizeof(words)};
    return forked.frozen->Read({reinterpret_cast<uint64_t>(words.data())}, {&part, 1});
  };
  EXPECT_EQ(read(&first).copied.count, sizeof(words));
  EXPECT_TRUE(child.Progresses());
  EXPECT_EQ(read(&second).error, 0);
  EXPECT_EQ(first, second);
  size_t changes = 0;
  for (size_t i = 1; i < kWords; ++i) changes += first[i] != first[i - 1] ? 1 : 0;
  EXPECT_LE(changes, 1u) << "not of one instant";
  EXPECT_TRUE(forked.frozen->CheckAlive().has_value());
  forked.frozen.reset();
  EXPECT_EQ(ChildrenOf(child.pid()), "");
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

// Those of a sensible size: a sanitizer maps half of the address space.
std::vector<std::pair<uint64_t, uint64_t>> WritableMappings(pid_t pid) {
  std::istringstream maps(ReadAll("/proc/" + std::to_string(pid) + "/maps"));
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char permissions[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, permissions) == 3 &&
        std::string(permissions) == "rw-p" && end - begin <= (64ul << 20)) {
      ranges.emplace_back(begin, end);
    }
  }
  return ranges;
}

std::string ReadMemory(pid_t pid, uint64_t begin, uint64_t end) {
  std::string bytes(end - begin, 0);
  const int fd = open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t n = pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(begin));
  close(fd);
  bytes.resize(n < 0 ? 0 : static_cast<size_t>(n));
  return bytes;
}

// Stacks, heap, thread-local data, struct rseq: the system call that was run in the child has
// changed none of it.
TEST(AttachFork, AllPrivateMemoryIsThatOfThePausedTarget) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&board] {
        std::vector<int> heap(10'000);
        while (board.stop == 0) {
          for (int& value : heap) ++value;
          ++board.progress;
        }
      });
    }
    board.ready = 1;
    for (std::thread& thread : threads) thread.join();
  });
  child.AwaitReady();
  for (int round = 0; round < 10; ++round) {
    ASSERT_TRUE(child.Progresses());
    Forked forked = ForkTarget(child.pid(), true);
    ASSERT_EQ(forked.error, "");
    const auto ranges = WritableMappings(child.pid());
    EXPECT_GT(ranges.size(), 5u);
    EXPECT_EQ(WritableMappings(forked.frozen->pid()), ranges);
    for (const auto& [begin, end] : ranges) {
      EXPECT_TRUE(ReadMemory(forked.frozen->pid(), begin, end) ==
                  ReadMemory(child.pid(), begin, end))
          << std::hex << begin;
    }
    ASSERT_TRUE(forked.target->Resume().has_value());
  }
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachFork, EveryThreadStandsStillUntilResumed) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 4; ++i) {
      threads.emplace_back([&board, i] {
        while (board.stop == 0) {
          ++board.value[i];
          ++board.progress;
        }
      });
    }
    board.ready = 1;
    for (std::thread& thread : threads) thread.join();
  });
  child.AwaitReady();
  ASSERT_TRUE(child.Progresses());
  Forked forked = ForkTarget(child.pid(), true);
  ASSERT_EQ(forked.error, "");
  const uint64_t before = child.board().progress;
  usleep(20'000);
  EXPECT_EQ(child.board().progress, before);
  const auto state = forked.target->CaptureState();
  ASSERT_TRUE(state.has_value()) << state.error().message;
  EXPECT_EQ(state->threads.size(), 5u);
  EXPECT_EQ(state->threads.front().tid, child.pid());
  for (const ThreadState& thread : state->threads) {
    EXPECT_EQ(thread.prstatus.size(), 27 * 8u);
    EXPECT_EQ(thread.fpregset.size(), 512u);
    EXPECT_GE(thread.xstate.size(), 576u);
    EXPECT_FALSE(thread.name.empty());
  }
  EXPECT_GT(forked.target->PauseDuration().count(), 0);
  ASSERT_TRUE(forked.target->Resume().has_value());
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachFork, RegistersAreThoseOfThePauseAndNoneChanges) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) {
      board.failures += HoldRegisters(1'000'000) != 0 ? 1 : 0;
      ++board.progress;
    }
  });
  child.AwaitReady();
  int seen_inside = 0;
  for (int i = 0; i < 30; ++i) {
    Forked forked = ForkTarget(child.pid(), true);
    ASSERT_EQ(forked.error, "");
    const auto state = forked.target->CaptureState();
    ASSERT_TRUE(state.has_value());
    ASSERT_EQ(state->threads.size(), 1u);
    std::array<uint64_t, 27> registers;
    ASSERT_EQ(state->threads[0].prstatus.size(), sizeof(registers));
    std::memcpy(registers.data(), state->threads[0].prstatus.data(), sizeof(registers));
    EXPECT_NE(registers[10], 56u) << "the number of clone(2)";
    seen_inside += registers[5] == 0x2222222222222222 ? 1 : 0;  // rbx
  }
  EXPECT_GT(seen_inside, 0);
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().failures, 0u);
}

TEST(AttachFork, SleepingThreadSleepsOn) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, nullptr);
    raise(SIGUSR2);
    board.ready = 1;
    const timespec wait{.tv_sec = 2, .tv_nsec = 0};
    if (nanosleep(&wait, nullptr) != 0) ++board.failures;
  });
  child.AwaitReady();
  const std::string mask = child.StatusField("SigBlk");
  for (int i = 0; i < 10; ++i) {
    Forked forked = ForkTarget(child.pid(), true);
    ASSERT_EQ(forked.error, "");
    const auto state = forked.target->CaptureState();
    ASSERT_TRUE(state.has_value());
    EXPECT_EQ(state->threads.at(0).signal_mask, std::stoull(mask, nullptr, 16));
    EXPECT_EQ(state->threads.at(0).pending_signals, uint64_t{1} << (SIGUSR2 - 1));
  }
  EXPECT_EQ(child.StatusField("SigBlk"), mask);
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().failures, 0u);
}

TEST(AttachFork, CopyHoldsNoDescriptorOfTheTarget) {
  if (!CanAttach()) GTEST_SKIP();
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  Child child([&](Board& board) {
    close(pipe_fds[0]);
    board.ready = 1;
    while (board.value[0] == 0) usleep(500);
    close(pipe_fds[1]);
    board.value[1] = 1;
    while (board.stop == 0) usleep(500);
  });
  close(pipe_fds[1]);
  child.AwaitReady();
  const std::string files = child.OpenFiles();
  Forked forked = ForkTarget(child.pid());
  ASSERT_EQ(forked.error, "");
  EXPECT_EQ(child.OpenFiles(), files);
  const std::string fds = "/proc/" + std::to_string(forked.frozen->pid()) + "/fd/1";
  EXPECT_TRUE(Eventually([&] { return access(fds.c_str(), F_OK) != 0; }));
  child.board().value[0] = 1;
  char byte = 0;
  EXPECT_EQ(read(pipe_fds[0], &byte, 1), 0) << "the end of the pipe, as the target closed its own";
  EXPECT_TRUE(Eventually([&] { return child.board().value[1] == 1; }));
  close(pipe_fds[0]);
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachFork, CopyIsTheFirstToGoWhenMemoryRunsOut) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(CountInAllWords);
  child.AwaitReady();
  const std::string before = child.ProcFile("oom_score_adj");
  const Forked forked = ForkTarget(child.pid());
  ASSERT_EQ(forked.error, "");
  EXPECT_EQ(ReadAll("/proc/" + std::to_string(forked.frozen->pid()) + "/oom_score_adj"), "1000\n");
  EXPECT_EQ(child.ProcFile("oom_score_adj"), before);
}

TEST(AttachFork, IsRefusedOutsideOfAPauseForIt) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(CountInAllWords);
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ((*target)->Fork().error().code, ErrorCode::kUsage);
  ASSERT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
  EXPECT_EQ((*target)->Fork().error().code, ErrorCode::kUsage);
  ASSERT_TRUE((*target)->Resume().has_value());
  ASSERT_TRUE((*target)->Pause({.stop_timeout = std::chrono::seconds(2), .for_fork = true}));
  auto frozen = (*target)->Fork();
  ASSERT_TRUE(frozen.has_value()) << frozen.error().message;
  EXPECT_EQ((*target)->Fork().error().code, ErrorCode::kUsage) << "once in a pause";
  frozen->reset();
  EXPECT_EQ(ChildrenOf(child.pid()), "") << "dropped while the target is paused";
  ASSERT_TRUE((*target)->Resume().has_value());
  EXPECT_EQ((*target)->Fork().error().code, ErrorCode::kUsage);
  EXPECT_TRUE(child.Progresses());
}

TEST(AttachFork, TwoCopiesOfOneTargetAtATime) {
  if (!CanAttach()) GTEST_SKIP();
  Child child(CountInAllWords);
  child.AwaitReady();
  Forked first = ForkTarget(child.pid());
  ASSERT_EQ(first.error, "");
  ASSERT_TRUE(child.Progresses());
  ASSERT_TRUE(
      first.target->Pause({.stop_timeout = std::chrono::seconds(2), .for_fork = true}).has_value());
  auto second = first.target->Fork();
  ASSERT_TRUE(second.has_value()) << second.error().message;
  ASSERT_TRUE(first.target->Resume().has_value());
  uint64_t a = 0;
  uint64_t b = 0;
  ASSERT_TRUE(ReadValue(*first.frozen, reinterpret_cast<uint64_t*>(words.data()), &a));
  ASSERT_TRUE(ReadValue(**second, reinterpret_cast<uint64_t*>(words.data()), &b));
  EXPECT_LT(a, b);
  first.frozen.reset();
  ASSERT_TRUE(ReadValue(**second, reinterpret_cast<uint64_t*>(words.data()), &a));
  EXPECT_EQ(a, b);
  second->reset();
  EXPECT_EQ(ChildrenOf(child.pid()), "");
  EXPECT_TRUE(child.Progresses());
}

}  // namespace
}  // namespace stillframe::test
