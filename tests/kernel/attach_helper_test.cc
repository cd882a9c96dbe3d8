// The injection helper is never left behind as a zombie, and never killed while the target needs
// it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <new>
#include <sstream>

#include "attach_child.h"
#include "target/helper_process.h"

namespace stillframe::test {
namespace {

// What a helper of ours and its test tell each other.
struct Talk {
  std::atomic<int> working = 0;
  std::atomic<int> finish = 0;
};

class HelperTest : public testing::Test {
 protected:
  HelperTest()
      : talk_(new (mmap(nullptr, sizeof(Talk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0)) Talk) {}
  ~HelperTest() override { munmap(talk_, sizeof(Talk)); }
  HelperTest(const HelperTest&) = delete;
  HelperTest& operator=(const HelperTest&) = delete;

  pid_t Start(HelperProcess* helper, HelperBody body) {
    EXPECT_TRUE(helper->Start(body, talk_).has_value());
    return helper->pid();
  }

  Talk* talk_;
};

bool Exists(pid_t pid) { return kill(pid, 0) == 0; }

Talk& Of(const void* order) { return *const_cast<Talk*>(static_cast<const Talk*>(order)); }

void Work(const void* order, HelperLease*) {
  Talk& talk = Of(order);
  talk.working = 1;
  while (talk.finish == 0) usleep(1000);
}

void WorkWithLease(const void* order, HelperLease* lease) {
  if (lease->Take()) Work(order, lease);
  lease->Drop();
}

TEST_F(HelperTest, ThatEndsIsReaped) {
  pid_t pid = 0;
  {
    HelperProcess helper;
    pid = Start(&helper, Work);
    talk_->finish = 1;
  }
  EXPECT_FALSE(Exists(pid));
  EXPECT_EQ(talk_->working, 1);
}

TEST_F(HelperTest, ThatTheTargetDoesNotNeedIsKilledAndReaped) {
  pid_t pid = 0;
  {
    HelperProcess helper;
    pid = Start(&helper, Work);
    ASSERT_TRUE(Eventually([&] { return talk_->working == 1; }));
  }
  EXPECT_FALSE(Exists(pid));
}

TEST_F(HelperTest, ThatTheTargetNeedsIsLeftAloneAndReapedWhenItEnds) {
  pid_t pid = 0;
  {
    HelperProcess helper;
    pid = Start(&helper, WorkWithLease);
    ASSERT_TRUE(Eventually([&] { return talk_->working == 1; }));
  }
  EXPECT_TRUE(Exists(pid));
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG | __WALL), 0) << "it was killed";
  talk_->finish = 1;
  EXPECT_TRUE(Eventually([&] { return !Exists(pid); }));
}

TEST_F(HelperTest, ALeaseThatWasRevokedIsNeverGiven) {
  const auto lease = Shared<HelperLease>::Make();
  ASSERT_TRUE(lease.has_value());
  EXPECT_TRUE((*lease)->Take());
  EXPECT_TRUE((*lease)->Take());
  EXPECT_FALSE((*lease)->Revoke());
  (*lease)->Drop();
  EXPECT_FALSE((*lease)->Revoke());
  (*lease)->Drop();
  EXPECT_TRUE((*lease)->Revoke());
  EXPECT_FALSE((*lease)->Take());
}

// Children of this process, those included that only a wait with __WALL sees.
std::string ChildrenBut(pid_t one) {
  std::istringstream text(ReadAll("/proc/self/task/" + std::to_string(getpid()) + "/children"));
  std::string others;
  for (pid_t child = 0; text >> child;) {
    if (child != one) others += std::to_string(child) + " ";
  }
  return others;
}

TEST(AttachHelper, OfAnAttachThatTookTooLongIsReaped) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) {
      ++board.progress;
      usleep(500);
    }
  });
  child.AwaitReady();
  // Given up at once, whatever the helper is doing.
  for (int i = 0; i < 20; ++i) {
    const auto target =
        AttachProcess(child.pid(), {.injection_timeout = -std::chrono::milliseconds(999 - i / 10)});
    if (target) continue;
    EXPECT_EQ(target.error().code, ErrorCode::kLimit) << target.error().message;
  }
  EXPECT_TRUE(Eventually([&] { return ChildrenBut(child.pid()).empty(); }))
      << ChildrenBut(child.pid());
  EXPECT_TRUE(child.Progresses());
  EXPECT_EQ(AttachAndPause(child.pid(), 1), "");
}

}  // namespace
}  // namespace stillframe::test
