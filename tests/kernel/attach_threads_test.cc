// Every thread is stopped, whatever threads do meanwhile: start, end, exec, spawn.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <set>
#include <thread>
#include <vector>

#include "attach_bodies.h"
#include "attach_child.h"
#include "attach_fork_child.h"

extern char** environ;

namespace stillframe::test {
namespace {

constexpr auto kStopTimeout = std::chrono::seconds(2);

TEST(AttachThreads, AllStandStillWhilePaused) {
  if (!CanAttach()) GTEST_SKIP();
  constexpr int kThreads = 8;
  Child child([](Board& board) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&board, i] {
        while (board.stop == 0) {
          ++board.value[static_cast<size_t>(i)];
          ++board.progress;
        }
      });
    }
    board.ready = 1;
    for (std::thread& thread : threads) thread.join();
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE((*target)->Pause(kStopTimeout).has_value());
    std::array<int64_t, kThreads> before;
    for (size_t i = 0; i < kThreads; ++i) before[i] = child.board().value[i];
    usleep(20'000);
    for (size_t i = 0; i < kThreads; ++i) EXPECT_EQ(child.board().value[i], before[i]);
    const auto state = (*target)->CaptureState();
    ASSERT_TRUE(state.has_value());
    EXPECT_EQ(state->threads.size(), kThreads + 1u);
    EXPECT_EQ(state->threads.front().tid, child.pid()) << "the leader comes first";
    EXPECT_GT((*target)->PauseDuration().count(), 0);
    ASSERT_TRUE((*target)->Resume().has_value());
    EXPECT_TRUE(child.Progresses());
  }
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachThreads, StartingAndEndingAllTheTime) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) { StartAndEndThreads(board, 8); });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  for (int round = 0; round < 30; ++round) {
    const auto paused = (*target)->Pause(kStopTimeout);
    ASSERT_TRUE(paused.has_value()) << paused.error().message;
    const uint64_t before = child.board().progress;
    usleep(3000);
    EXPECT_EQ(child.board().progress, before);
    ASSERT_TRUE((*target)->Resume().has_value());
    ASSERT_TRUE(child.Progresses());
  }
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

// Starts a thread that does the same, and ends.
void* PassOn(void* board) {
  auto* const its_board = static_cast<Board*>(board);
  ++its_board->progress;
  pthread_t next{};
  if (its_board->stop != 0) return nullptr;
  if (pthread_create(&next, nullptr, PassOn, board) != 0) ++its_board->failures;
  pthread_detach(next);
  return nullptr;
}

TEST(AttachThreads, ChainsInWhichEachThreadIsBornByTheOneBefore) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    for (int i = 0; i < 3; ++i) PassOn(&board);
    board.ready = 1;
    while (board.stop == 0) usleep(500);
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  for (int round = 0; round < 30; ++round) {
    const auto paused = (*target)->Pause(kStopTimeout);
    ASSERT_TRUE(paused.has_value()) << paused.error().message;
    const uint64_t before = child.board().progress;
    usleep(1000);
    EXPECT_EQ(child.board().progress, before) << "one that was born meanwhile runs on";
    ASSERT_TRUE((*target)->Resume().has_value());
    ASSERT_TRUE(child.Progresses());
  }
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().failures, 0u);
}

TEST(AttachThreads, SpawningAtFullRate) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) {
      pid_t other = 0;
      char name[] = "true";
      char* arguments[] = {name, nullptr};
      if (posix_spawn(&other, "/bin/true", nullptr, nullptr, arguments, environ) != 0) {
        ++board.failures;
        continue;
      }
      int status = 0;
      if (waitpid(other, &status, 0) != other || status != 0) ++board.failures;
      ++board.progress;
    }
  });
  child.AwaitReady();
  EXPECT_EQ(AttachAndPause(child.pid(), 20), "");
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().failures, 0u);
}

TEST(AttachThreads, ForkingAtFullRateLeavesNoChildWithTheUserfaultfd) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    std::thread forker([&board] {
      while (board.stop == 0) {
        const pid_t other = fork();
        if (other == 0) _exit(0);
        waitpid(other, nullptr, 0);
        ++board.progress;
      }
    });
    board.ready = 1;
    while (board.stop == 0) usleep(100);
    forker.join();
  });
  child.AwaitReady();
  EXPECT_EQ(AttachAndPause(child.pid(), 20), "");
  EXPECT_TRUE(child.Progresses());
  EXPECT_EQ(child.OpenFiles().find("userfaultfd"), std::string::npos);
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

TEST(AttachThreads, LeaderHasExited) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    std::thread([&board] {
      while (board.stop == 0) {
        ++board.progress;
        usleep(500);
      }
      syscall(SYS_exit_group, 0);
    }).detach();
    board.ready = 1;
    syscall(SYS_exit, 0);  // of this thread only
  });
  child.AwaitReady();
  ASSERT_TRUE(Eventually([&] { return child.State() == "Z"; }));
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  ASSERT_TRUE((*target)->Pause(kStopTimeout).has_value());
  const uint64_t before = child.board().progress;
  const auto state = (*target)->CaptureState();
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->threads.size(), 1u);
  EXPECT_FALSE(state->auxv.empty());
  EXPECT_FALSE(state->executable.empty());
  const auto mappings = (*target)->ReadMappings(true);
  ASSERT_TRUE(mappings.has_value()) << mappings.error().message;
  EXPECT_GT(mappings->size(), 5u);
  uint64_t value = 0;
  const iovec to{.iov_base = &value, .iov_len = sizeof(value)};
  const auto outcome =
      (*target)->Read({reinterpret_cast<uint64_t>(&child.board().progress)}, {&to, 1});
  EXPECT_EQ(outcome.copied.count, sizeof(value));
  EXPECT_EQ(value, before);
  ASSERT_TRUE((*target)->Resume().has_value());
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

// A hundred threads, one of which starts the program anew after a millisecond; for ever.
[[noreturn]] void ExecForEver(char** arguments) {
  for (int i = 0; i < 100; ++i) {
    std::thread([] {
      for (;;) pause();
    }).detach();
  }
  usleep(1000);
  std::thread([&] { execv("/proc/self/exe", arguments); }).join();
  _exit(1);
}

TEST(AttachThreads, ExecByAnyThreadAtAnyMomentNeverHangsEitherSide) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board&) {
    char name[] = "attach_threads_test";
    char mode[] = "--exec-for-ever";
    char* arguments[] = {name, mode, nullptr};
    execv("/proc/self/exe", arguments);
  });
  int paused = 0;
  int gone = 0;
  for (int i = 0; i < 60; ++i) {
    auto target = AttachProcess(child.pid());
    const auto result = target ? (*target)->Pause(kStopTimeout) : tl::unexpected(target.error());
    paused += result ? 1 : 0;
    if (result) continue;
    // The other code: too many an exec in a row.
    EXPECT_TRUE(result.error().code == ErrorCode::kTargetGone ||
                result.error().code == ErrorCode::kLimit)
        << result.error().message;
    ++gone;
  }
  EXPECT_EQ(paused + gone, 60);
  // In the middle of an exec the leader is one for a moment.
  EXPECT_TRUE(Eventually([&] { return child.State() != "Z"; }));
}

TEST(AttachThreads, ExecByAnyThreadAtAnyMomentOfAForkLeavesNoChild) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board&) {
    char name[] = "attach_threads_test";
    char mode[] = "--exec-for-ever";
    char* arguments[] = {name, mode, nullptr};
    execv("/proc/self/exe", arguments);
  });
  int done = 0;
  for (int i = 0; i < 60; ++i) {
    Forked forked = ForkTarget(child.pid());
    const bool good = forked.error.empty();
    done += good ? 1 : 0;
    EXPECT_TRUE(good || forked.code == ErrorCode::kTargetGone || forked.code == ErrorCode::kLimit)
        << forked.error;
    forked.frozen.reset();
    forked.target.reset();
    EXPECT_TRUE(Eventually([&] { return ChildrenOf(child.pid()).empty(); }));
  }
  EXPECT_GT(done, 0);
  // In the middle of an exec the leader is one for a moment.
  EXPECT_TRUE(Eventually([&] { return child.State() != "Z"; }));
}

TEST(AttachDiscards, ThreadInMadviseIsFound) {
  // No userfaultfd holds it up here, so it is looked for until it is caught in the act.
  if (!CanAttach()) GTEST_SKIP();
  constexpr size_t kSize = 64 << 20;
  Child child([](Board& board) {
    char* memory = static_cast<char*>(
        mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    board.value[0] = reinterpret_cast<int64_t>(memory);
    board.ready = 1;
    while (board.stop == 0) {
      for (size_t i = 0; i < kSize; i += 4096) memory[i] = 1;
      madvise(memory, kSize, MADV_DONTNEED);
    }
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value());
  std::array<AddressRange, 4> ranges;
  // A running thread shows no call; it does when it waits for the CPU or a lock in it, which a
  // pause makes happen.
  for (int i = 0; i < 100; ++i) {
    EXPECT_LE((*target)->PendingDiscards(ranges), 1u);
    EXPECT_EQ((*target)->PendingDiscards({}), 0u);
  }
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
}

}  // namespace

[[noreturn]] void RunExecForEver(char** arguments) { ExecForEver(arguments); }

}  // namespace stillframe::test

// Before gtest's main sees the arguments: the child of the exec test is this very program.
__attribute__((constructor)) static void MaybeExecForEver(int argc, char** argv, char**) {
  if (argc > 1 && std::string(argv[1]) == "--exec-for-ever") {
    stillframe::test::RunExecForEver(argv);
  }
}
