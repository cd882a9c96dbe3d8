// All other threads of one's own process, brought to rest by a signal.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "attach_child.h"
#include "stillframe/target.h"

namespace stillframe::test {
namespace {

// Threads that count, each for itself.
class Counters {
 public:
  explicit Counters(size_t threads) {
    for (size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this, i] {
        tids_[i] = gettid();
        while (!stop_) ++counts_[i];
      });
    }
    Eventually([&] { return AllMoved(std::vector<uint64_t>(threads, 0)); });
  }
  ~Counters() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  std::vector<uint64_t> Now() const {
    return std::vector<uint64_t>(counts_.begin(),
                                 counts_.begin() + static_cast<std::ptrdiff_t>(threads_.size()));
  }
  bool AllMoved(const std::vector<uint64_t>& since) const {
    for (size_t i = 0; i < since.size(); ++i) {
      if (counts_[i] <= since[i]) return false;
    }
    return true;
  }
  pid_t tid(size_t i) const { return tids_[i]; }

 private:
  std::array<std::atomic<uint64_t>, 16> counts_ = {};
  std::array<std::atomic<pid_t>, 16> tids_ = {};
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

struct sigaction Disposition(int signal) {
  struct sigaction now {};
  sigaction(signal, nullptr, &now);
  return now;
}

TEST(OwnProcessParking, AllOthersStandStillAndGoOn) {
  Counters counters(8);
  const Quiesce park = ParkAllThreads(SIGRTMIN + 3);
  for (int round = 0; round < 20; ++round) {
    const auto parked = park.quiesce();
    ASSERT_TRUE(parked.has_value()) << parked.error().message;
    const auto before = counters.Now();
    usleep(2000);
    EXPECT_EQ(counters.Now(), before);
    park.resume();
    EXPECT_TRUE(Eventually([&] { return counters.AllMoved(before); }));
    EXPECT_EQ(Disposition(SIGRTMIN + 3).sa_handler, SIG_DFL) << "the handler is gone again";
  }
}

TEST(OwnProcessParking, NamedThreadsRunOn) {
  Counters counters(3);
  const Quiesce park = ParkAllThreads(SIGRTMIN + 3, {counters.tid(1)});
  ASSERT_TRUE(park.quiesce().has_value());
  const auto before = counters.Now();
  EXPECT_TRUE(Eventually([&] { return counters.Now()[1] > before[1]; }));
  EXPECT_EQ(counters.Now()[0], before[0]);
  EXPECT_EQ(counters.Now()[2], before[2]);
  park.resume();
}

TEST(OwnProcessParking, ThreadsThatStartAndEndMeanwhile) {
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> count = 0;
  std::thread starter([&] {
    while (!stop) std::thread([&] { ++count; }).join();
  });
  const Quiesce park = ParkAllThreads(SIGRTMIN + 3);
  for (int round = 0; round < 50; ++round) {
    const auto parked = park.quiesce();
    ASSERT_TRUE(parked.has_value()) << parked.error().message;
    const uint64_t before = count;
    usleep(1000);
    EXPECT_EQ(count, before);
    park.resume();
    ASSERT_TRUE(Eventually([&] { return count > before; }));
  }
  stop = true;
  starter.join();
}

TEST(OwnProcessParking, ThreadThatBlocksTheSignalEndsInALimitAndNoHarm) {
  std::atomic<int> state = 0;
  std::thread blocker([&] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    state = 1;
    while (state == 1) usleep(500);
    // The signal that is still pending comes now, and must not end us.
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  });
  ASSERT_TRUE(Eventually([&] { return state == 1; }));
  Counters counters(2);
  const Quiesce park = ParkAllThreads(SIGRTMIN + 3);
  const auto parked = park.quiesce();
  ASSERT_FALSE(parked.has_value());
  EXPECT_EQ(parked.error().code, ErrorCode::kLimit);
  const auto before = counters.Now();
  EXPECT_TRUE(Eventually([&] { return counters.AllMoved(before); })) << "all were released";
  state = 2;
  blocker.join();
}

TEST(OwnProcessParking, OnlyRealTimeSignalsAreTaken) {
  EXPECT_EQ(ParkAllThreads(SIGUSR1).quiesce().error().code, ErrorCode::kUsage);
  EXPECT_EQ(ParkAllThreads(SIGRTMAX + 1).quiesce().error().code, ErrorCode::kUsage);
}

TEST(OwnProcessParking, TwoPausesAtOnceAreRefused) {
  const Quiesce first = ParkAllThreads(SIGRTMIN + 3);
  const Quiesce second = ParkAllThreads(SIGRTMIN + 4);
  ASSERT_TRUE(first.quiesce().has_value());
  EXPECT_EQ(second.quiesce().error().code, ErrorCode::kUsage);
  first.resume();
  EXPECT_TRUE(second.quiesce().has_value());
  second.resume();
}

}  // namespace
}  // namespace stillframe::test
