// What is pushed into a pool is run, in its order, by as many threads as were asked for.
#include "stillframe/task_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <latch>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/service_thread.h"

namespace stillframe {
namespace {

std::shared_ptr<TaskPool> Start(size_t threads, int nice = 0) {
  auto pool = StartTaskPool(threads, nice);
  EXPECT_TRUE(pool) << pool.error().message;
  return *std::move(pool);
}

std::vector<pid_t> ServiceThreads() {
  std::vector<pid_t> tids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream comm(entry.path() / "comm");
    std::string name;
    if (!std::getline(comm, name)) continue;
    if (name == std::string(kServiceThreadPrefix) + "pool") {
      tids.push_back(std::stoi(entry.path().filename()));
    }
  }
  return tids;
}

TEST(TaskPool, EveryTaskIsDoneWhenItIsGone) {
  for (const size_t threads : std::initializer_list<size_t>{1, 2, 7}) {
    std::atomic<int> done = 0;
    auto pool = Start(threads);
    EXPECT_EQ(pool->threads(), threads);
    for (int i = 0; i < 2000; ++i) pool->Push([&done] { ++done; });
    pool.reset();
    EXPECT_EQ(done, 2000);
  }
}

TEST(TaskPool, OneThatIsNeverUsedEndsAsWell) {
  for (int i = 0; i < 20; ++i) Start(3);
}

TEST(TaskPool, HasAsManyThreadsAsItWasAskedFor) {
  constexpr size_t kThreads = 5;
  const auto pool = Start(kThreads);
  // Each waits until all of them run at once: with one less this would hang.
  std::latch together(kThreads);
  std::latch done(kThreads);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  for (size_t i = 0; i < kThreads; ++i) {
    pool->Push([&] {
      together.arrive_and_wait();
      {
        const std::lock_guard lock(mutex);
        ids.insert(std::this_thread::get_id());
      }
      done.count_down();
    });
  }
  done.wait();
  EXPECT_EQ(ids.size(), kThreads);
  EXPECT_FALSE(ids.contains(std::this_thread::get_id()));
}

TEST(TaskPool, TasksBeginInTheOrderInWhichTheyWerePushed) {
  std::vector<int> order;
  auto pool = Start(1);
  for (int i = 0; i < 1000; ++i) pool->Push([&order, i] { order.push_back(i); });
  pool.reset();
  ASSERT_EQ(order.size(), 1000u);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(TaskPool, TakesTasksFromManyThreads) {
  constexpr int kPushers = 4;
  constexpr int kEach = 500;
  std::vector<std::atomic<int>> runs(kPushers * kEach);
  auto pool = Start(3);
  std::vector<std::thread> pushers;
  for (int p = 0; p < kPushers; ++p) {
    pushers.emplace_back([&, p] {
      for (int i = 0; i < kEach; ++i) {
        pool->Push([&runs, at = static_cast<size_t>(p * kEach + i)] { ++runs[at]; });
      }
    });
  }
  for (std::thread& pusher : pushers) pusher.join();
  pool.reset();
  EXPECT_TRUE(std::ranges::all_of(runs, [](const auto& count) { return count == 1; }));
}

TEST(TaskPool, ATaskMayPushAnother) {
  std::atomic<int> done = 0;
  std::latch pushed(100);
  auto pool = Start(2);
  for (int i = 0; i < 100; ++i) {
    pool->Push([&, raw = pool.get()] {
      raw->Push([&done] { ++done; });
      pushed.count_down();
    });
  }
  pushed.wait();
  pool.reset();
  EXPECT_EQ(done, 100);
}

TEST(TaskPool, WhatATaskHoldsIsGoneWithIt) {
  const auto held = std::make_shared<int>(1);
  auto pool = Start(2);
  for (int i = 0; i < 50; ++i) pool->Push([held] { EXPECT_EQ(*held, 1); });
  pool.reset();
  EXPECT_EQ(held.use_count(), 1);
}

// From the first moment on, before any of them had a task: whoever parks threads goes by the name.
TEST(TaskPool, ItsThreadsAreKnownByTheirNamesAndTakeNoSignals) {
  constexpr size_t kThreads = 4;
  const int nice = getpriority(PRIO_PROCESS, 0);
  const auto pool = Start(kThreads, 3);
  size_t known = 0;
  for (const pid_t tid : ServiceThreads()) {
    ++known;
    EXPECT_EQ(getpriority(PRIO_PROCESS, static_cast<id_t>(tid)), nice + 3);
  }
  EXPECT_EQ(known, kThreads);
  std::latch done(1);
  pool->Push([&done] {
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGALRM, SIGCHLD, SIGRTMIN + 3}) {
      EXPECT_EQ(sigismember(&blocked, signal), 1) << signal;
    }
    done.count_down();
  });
  done.wait();
  // The caller's own mask is as it was.
  sigset_t own;
  pthread_sigmask(SIG_BLOCK, nullptr, &own);
  EXPECT_EQ(sigismember(&own, SIGTERM), 0);
}

// GLib keeps threads for whoever needs one next, and we are guests in somebody's program.
TEST(TaskPool, WhatItLeavesBehindIsAnOrdinaryThread) {
  Start(3, 0);
  for (int i = 0; i < 5; ++i) {
    Start(2, 0);
    EXPECT_TRUE(ServiceThreads().empty());
  }
}

TEST(TaskPool, HasOneToTwoHundredAndFiftySixThreads) {
  for (const size_t wrong : std::initializer_list<size_t>{0, size_t{257}, SIZE_MAX}) {
    const auto pool = StartTaskPool(wrong);
    ASSERT_FALSE(pool) << wrong;
    EXPECT_EQ(pool.error().code, ErrorCode::kUsage);
  }
}

TEST(TaskPool, TheDefaultIsAtLeastOneThread) {
  EXPECT_GE(DefaultTaskThreads(), 1u);
  EXPECT_LE(DefaultTaskThreads(), 16u);
}

}  // namespace
}  // namespace stillframe
