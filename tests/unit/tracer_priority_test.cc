// The tracer goes ahead of others and back, with the right to any priority and with a limit only.
#include "target/tracer_priority.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stillframe {
namespace {

int Policy() { return sched_getscheduler(0) & ~SCHED_RESET_ON_FORK; }

// 0 if all went as it should, or else the number of the step that did not.
int GoAheadAndBack() {
  GetAhead();
  if (Policy() != SCHED_FIFO) return 1;
  {
    const StepBack back;
    if (Policy() != SCHED_OTHER) return 2;
    const StepBack again;
    if (Policy() != SCHED_OTHER) return 3;
  }
  if (Policy() != SCHED_FIFO) return 4;
  {
    const StepBack back;
    GetAhead();
    if (Policy() != SCHED_FIFO) return 5;
  }
  return 0;
}

// What `run` returns in a process of its own.
template <class Run>
int InAProcess(Run run) {
  const pid_t child = fork();
  if (child == 0) _exit(run());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class TracerPriorityTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto may = [] {
      const sched_param parameter{.sched_priority = 1};
      return sched_setscheduler(0, SCHED_FIFO, &parameter) == 0 ? 0 : 1;
    };
    if (geteuid() != 0 || InAProcess(may) != 0) GTEST_SKIP() << "*** SKIPPED *** no CAP_SYS_NICE";
  }
};

TEST_F(TracerPriorityTest, WithTheRightToIt) { EXPECT_EQ(InAProcess(GoAheadAndBack), 0); }

TEST_F(TracerPriorityTest, OneThatLostTheRightStepsBackAllTheSame) {
  EXPECT_EQ(InAProcess([] {
              GetAhead();
              if (setuid(65534) != 0) return 98;
              const StepBack back;
              return Policy() == SCHED_OTHER ? 0 : 2;
            }),
            0);
}

TEST_F(TracerPriorityTest, WithoutARightToItNothingHappens) {
  EXPECT_EQ(InAProcess([] {
              const rlimit limit{.rlim_cur = 0, .rlim_max = 0};
              if (setrlimit(RLIMIT_RTPRIO, &limit) != 0 || setuid(65534) != 0) return 99;
              GetAhead();
              return sched_getscheduler(0) == SCHED_OTHER ? 0 : 1;
            }),
            0);
}

}  // namespace
}  // namespace stillframe
