// The pre-arm with session and tracker on threads of their own, against writers that never rest:
// whatever the two do at the same moment, each page is armed or noted.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "fault/fault_channel.h"
#include "fault/fault_log.h"
#include "region/rcu.h"
#include "save/armed_memory.h"
#include "save/page_armer.h"
#include "stillframe/target.h"
#include "sys/pagemap.h"
#include "track/fault_tracker.h"
#include "track/stage.h"

namespace stillframe {
namespace {

// Few pages, so that tracker and session often have to do with the same one.
constexpr uint64_t kPages = 24;
constexpr int kWriters = 2;
// How often all is looked at while the target stands still.
constexpr uint64_t kLooks = 10;
// Between two of these so many writes are opened and noted, while all that is noted is armed again
// and again.
constexpr uint64_t kWrites = 300;
constexpr auto kMostIdle = std::chrono::milliseconds(200);

// Holds up whoever is interrupted, wherever that is, for long enough that the other one goes on.
constexpr auto kInterval = std::chrono::microseconds(90);
constexpr auto kHeldUp = std::chrono::microseconds(25);

void HoldUp(int) {
  const TimePoint end = MonotonicClock().Now() + kHeldUp;
  while (MonotonicClock().Now() < end) {
  }
}

// Interrupts the calling thread again and again.
class Interruptions {
 public:
  Interruptions() {
    struct sigaction action = {};
    action.sa_handler = HoldUp;
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR2, &action, nullptr);
    sigevent event = {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGUSR2;
    event._sigev_un._tid = gettid();
    EXPECT_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer_), 0);
    const timespec every{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(kInterval).count()};
    const itimerspec times{.it_interval = every, .it_value = every};
    timer_settime(timer_, 0, &times, nullptr);
  }
  ~Interruptions() { timer_delete(timer_); }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

 private:
  timer_t timer_ = {};
};

void WriteForEver(char* memory, unsigned seed) {
  std::minstd_rand random(seed + 1);
  for (;;) {
    volatile char* page = memory + random() % kPages * kPageSize.count;
    *page = static_cast<char>(*page + 1);
  }
}

class PreArmRaceTest : public testing::Test {
 protected:
  void SetUp() override {
    auto* memory =
        static_cast<char*>(mmap(nullptr, kPages * kPageSize.count, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(memory, MAP_FAILED);
    madvise(memory, kPages * kPageSize.count, MADV_NOHUGEPAGE);
    std::memset(memory, 1, kPages * kPageSize.count);
    range_ = {{reinterpret_cast<uint64_t>(memory)},
              {reinterpret_cast<uint64_t>(memory) + kPages * kPageSize.count}};
    child_ = fork();
    ASSERT_GE(child_, 0);
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (unsigned i = 1; i < kWriters; ++i) std::thread(WriteForEver, memory, i).detach();
      WriteForEver(memory, 0);
    }
    munmap(memory, kPages * kPageSize.count);
    auto target = AttachProcess(child_);
    ASSERT_TRUE(target) << target.error().message;
    target_ = std::move(*target);
    channel_.emplace(*FaultChannel::Connect(target_->userfaultfd(), true));
    tracker_ = MakeMapped<FaultTracker>(*channel_, *target_, *stage_, *log_, MonotonicClock(),
                                        FaultTracker::Options{});
    armed_.emplace(*target_, *channel_);
    tracker_thread_ = std::thread([this] { Track(); });
    ASSERT_TRUE(target_->Pause(kPatience));
    Mapping mapping;
    mapping.range = range_;
    plan_ = {{.mapping = mapping, .treatment = Treatment::kArm, .saved = range_, .reason = {}}};
    ASSERT_TRUE(armed_->Register(&plan_));
    tracked_ = armed_->MakeTracked(plan_);
    tracker_->SetMemory(tracked_.get());
    tracker_->SetMode(FaultTracker::Mode::kArming);
    ASSERT_TRUE(target_->Resume());
  }
  void TearDown() override {
    if (target_) {
      EXPECT_TRUE(target_->Resume());
    }
    if (tracked_) {
      tracker_->SetMode(FaultTracker::Mode::kOpening);
      armed_->Release(tracked_.get());
    }
    stopping_ = true;
    if (tracker_thread_.joinable()) tracker_thread_.join();
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  void Track() {
    const RcuThread rcu;
    const Interruptions interruptions;
    pollfd entry{.fd = channel_->descriptor(), .events = POLLIN, .revents = 0};
    while (!stopping_) {
      if (poll(&entry, 1, 0) == 1) tracker_->OnReadable();
      tracker_->Step();
    }
  }
  // Pages that are there, not armed, and in no list. The target stands still.
  uint64_t Unnoted() const {
    std::array<PagemapEntry, kPages> entries;
    EXPECT_EQ(ReadPagemap(target_->pagemap(), range_.begin, entries), kPages);
    const ArmingLog& log = tracked_->arming;
    uint64_t unnoted = 0;
    for (uint64_t i = 0; i < kPages; ++i) {
      const PageIndex page{i};
      const bool there = entries[i].populated() && !entries[i].marker();
      if (there && !entries[i].armed() && !log.opened.Test(page) && !log.stale.Test(page) &&
          log.closed.Test(page)) {
        ++unnoted;
      }
    }
    return unnoted;
  }

  static constexpr Duration kPatience = std::chrono::seconds(5);

  const RcuThread rcu_;
  pid_t child_ = 0;
  AddressRange range_;
  MappedPtr<Stage> stage_ = MakeMapped<Stage>(MiB(1));
  MappedPtr<FaultLog> log_ = MakeMapped<FaultLog>();
  std::unique_ptr<Target> target_;
  std::optional<FaultChannel> channel_;
  std::optional<ArmedMemory> armed_;
  MappedPtr<FaultTracker> tracker_;
  std::vector<PlannedMapping> plan_;
  MappedPtr<TrackedMemory> tracked_;
  std::thread tracker_thread_;
  std::atomic<bool> stopping_ = false;
};

TEST_F(PreArmRaceTest, EachPageThatIsOpenIsNoted) {
  PageArmer armer(*target_, *channel_, *tracked_);
  const Region& region = tracked_->regions.regions().front();
  ASSERT_TRUE(armer.ArmPopulated(region, region.run()));
  for (uint64_t look = 1; look <= kLooks; ++look) {
    // No longer than there are any: of pages that are open and not noted nobody sees a write.
    uint64_t seen = 0;
    TimePoint last = MonotonicClock().Now();
    while (seen < look * kWrites && MonotonicClock().Now() - last < kMostIdle) {
      ASSERT_TRUE(armer.ArmOpened(region));
      const uint64_t now = tracker_->waits().count();
      if (now != seen) last = MonotonicClock().Now();
      seen = now;
    }
    const auto paused = target_->Pause(kPatience);
    ASSERT_TRUE(paused) << paused.error().message;
    tracker_->SetMode(FaultTracker::Mode::kHolding);
    tracker_->AwaitTurn();
    ASSERT_EQ(Unnoted(), 0u) << "at look " << look;
    tracker_->SetMode(FaultTracker::Mode::kArming);
    ASSERT_TRUE(target_->Resume());
  }
}

}  // namespace
}  // namespace stillframe
