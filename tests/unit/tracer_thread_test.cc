// Work is handed to the tracer and waited for; what follows it goes on meanwhile.
#include "target/tracer_thread.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>

namespace stillframe {
namespace {

class TracerThreadTest : public testing::Test {
 protected:
  void SetUp() override {
    auto tracer = TracerThread::Start();
    ASSERT_TRUE(tracer.has_value()) << tracer.error().message;
    tracer_ = *std::move(tracer);
  }

  std::unique_ptr<TracerThread> tracer_;
};

TEST_F(TracerThreadTest, AllWorkIsDoneOnOneThreadThatIsNotOurs) {
  pid_t first = 0;
  pid_t second = 0;
  tracer_->Run([&] { first = gettid(); });
  tracer_->Run([&] { second = gettid(); });
  EXPECT_NE(first, 0);
  EXPECT_NE(first, gettid());
  EXPECT_EQ(first, second);
}

TEST_F(TracerThreadTest, RunReturnsWhileWhatFollowsGoesOn) {
  std::atomic<bool> go_on = false;
  std::string order;
  tracer_->Run([&] { order += "work "; }, nullptr,
               [&] {
                 while (!go_on) usleep(100);
                 order += "afterwards ";
               });
  EXPECT_EQ(order, "work ");
  go_on = true;
  tracer_->Finish();
  EXPECT_EQ(order, "work afterwards ");
}

TEST_F(TracerThreadTest, NextWorkWaitsForWhatFollowsTheLast) {
  std::string order;
  tracer_->Run([] {}, nullptr,
               [&] {
                 usleep(2000);
                 order += "afterwards ";
               });
  tracer_->Run([&] { order += "work "; });
  EXPECT_EQ(order, "afterwards work ");
}

TEST_F(TracerThreadTest, CallerIsCalledWhileItWaits) {
  std::atomic<int> calls = 0;
  const pid_t caller = gettid();
  bool by_caller = true;
  tracer_->Run(
      [&] {
        while (calls < 2) usleep(100);
      },
      [&] {
        by_caller = by_caller && gettid() == caller;
        ++calls;
      });
  EXPECT_TRUE(by_caller);
}

TEST_F(TracerThreadTest, ExceptionsComeToWhoeverWaits) {
  const auto fail = [] { throw std::runtime_error("failed"); };
  bool followed = false;
  EXPECT_THROW(tracer_->Run(fail, nullptr, [&] { followed = true; }), std::runtime_error);
  EXPECT_FALSE(followed);
  tracer_->Finish();
  tracer_->Run([] {}, nullptr, fail);
  EXPECT_THROW(tracer_->Finish(), std::runtime_error);
  tracer_->Finish();
  tracer_->Run([] {}, nullptr, fail);
  tracer_->Run([] {});
  tracer_->Finish();
}

TEST_F(TracerThreadTest, EndsAfterTheWorkAtHand) {
  bool done = false;
  tracer_->Run([] {}, nullptr,
               [&] {
                 usleep(2000);
                 done = true;
               });
  tracer_.reset();
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace stillframe
