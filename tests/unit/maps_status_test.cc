// The other texts of /proc that decide what is done to a process.
#include <gtest/gtest.h>

#include <string>

#include "sys/process_status.h"
#include "target/pending_discards.h"

namespace stillframe {
namespace {

TEST(ProcessStatus, FieldsThatMatter) {
  const auto status = ParseStatus(
      "Name:\tx\nUmask:\t0022\nState:\tt (tracing stop)\nTgid:\t12\nNgid:\t0\nPid:\t13\nPPid:\t5\n"
      "TracerPid:\t99\nUid:\t1000\t1\t2\t3\nGid:\t1001\t4\t5\t6\nSeccomp:\t2\n");
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->state, 't');
  EXPECT_EQ(status->thread_group, 12);
  EXPECT_EQ(status->parent, 5);
  EXPECT_EQ(status->tracer, 99);
  EXPECT_EQ(status->seccomp, 2);
  EXPECT_EQ(status->uid, 1000u);
  EXPECT_EQ(status->gid, 1001u);
  EXPECT_FALSE(status->dead());
}

TEST(ProcessStatus, CutOffOrStrangeTextIsNone) {
  EXPECT_FALSE(ParseStatus("").has_value());
  EXPECT_FALSE(ParseStatus("State:\tS (sleeping)\nTgid:\t12\n").has_value());
  EXPECT_FALSE(ParseStatus("State:\tS\nTgid:\tx\nPPid:\t1\nTracerPid:\t0\n").has_value());
}

TEST(ProcessStat, NameMayHoldAnything) {
  const auto stat =
      ParseStat("7 (a) R (b)) S 1 9 6 0 -1 4194560 1 2 3 4 50 60 70 80 20 -5 1 0 12345 100 200\n");
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->flags, 4194560u);
  EXPECT_EQ(stat->start_time, 12345u);
  EXPECT_EQ(stat->parent, 1);
  EXPECT_EQ(stat->group, 9);
  EXPECT_EQ(stat->session, 6);
  EXPECT_EQ(stat->nice, -5);
  EXPECT_EQ(stat->user_ticks, 50u);
  EXPECT_EQ(stat->system_ticks, 60u);
  EXPECT_EQ(stat->children_user_ticks, 70u);
  EXPECT_EQ(stat->children_system_ticks, 80u);
  EXPECT_FALSE(stat->kernel_thread() || stat->kernel_worker() || stat->exiting());
}

TEST(ProcessStat, KernelThreadsAndWorkersByTheirFlags) {
  const auto with_flags = [](const std::string& flags) {
    return *ParseStat("7 (x) S 1 7 7 0 -1 " + flags + " 1 2 3 4 5 6 7 8 20 0 1 0 12345 100\n");
  };
  EXPECT_TRUE(with_flags("2129984").kernel_thread());
  EXPECT_TRUE(with_flags("4210768").kernel_worker());
  EXPECT_TRUE(with_flags("4194308").exiting());
}

TEST(ProcessStat, CutOffOrStrangeTextIsNone) {
  EXPECT_FALSE(ParseStat("").has_value());
  EXPECT_FALSE(ParseStat("7 (x").has_value());
  EXPECT_FALSE(ParseStat("7 (x)").has_value());
  EXPECT_FALSE(ParseStat("7 (x) S 1 2").has_value());
}

std::optional<AddressRange> Discard(const std::string& line) { return ParseDiscard(line); }

TEST(PendingDiscards, MadviseThatGivesPagesBack) {
  const AddressRange range{{0x7f0000000000}, {0x7f0000002000}};
  for (const std::string advice : {"0x4", "0x8", "0x9", "0x18"}) {
    EXPECT_EQ(Discard("28 0x7f0000000000 0x2000 " + advice + " 0x0 0x0 0x0 0x7ffe 0x7f00\n"),
              range);
  }
  EXPECT_EQ(Discard("28 0x7f0000000000 0x1001 0x4 0x0 0x0 0x0 0x7ffe 0x7f00\n"), range)
      << "the length is rounded up";
  EXPECT_EQ(Discard("28 0x7f0000000000 0x2000 0xffffffff00000004 0x0 0x0 0x0 0x1 0x1\n"), range)
      << "only an int's worth of the advice counts";
}

TEST(PendingDiscards, AnythingElseIsNone) {
  for (const std::string line :
       {"", "running\n", "-1 0x7ffe 0x7f00\n", "28\n", "28 0x1000 0x1000\n",
        "29 0x1000 0x1000 0x4 0x0 0x0 0x0 0x1 0x1\n",     // another call
        "28 0x1000 0x1000 0xe 0x0 0x0 0x0 0x1 0x1\n",     // MADV_HUGEPAGE
        "28 0x1008 0x1000 0x4 0x0 0x0 0x0 0x1 0x1\n",     // not aligned
        "28 0x1000 0x0 0x4 0x0 0x0 0x0 0x1 0x1\n",        // empty
        "28 0xfffffffffffff000 0x1000 0x4 0x0 0x0\n",     // past the end
        "28 0x1000 0xffffffffffffffff 0x4 0x0 0x0\n"}) {  // overflows
    EXPECT_FALSE(Discard(line).has_value()) << line;
  }
}

}  // namespace
}  // namespace stillframe
