// The two ways to ask which pages a process has: they must never differ.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "fault/fault_channel.h"
#include "kernel/puppet.h"
#include "stillframe/target.h"
#include "sys/page_map_scanner.h"

namespace stillframe {
namespace {

constexpr PageQuery kPresent;
constexpr PageQuery kArmed = {.armed_only = true};

class SavePageScannerTest : public testing::Test {
 protected:
  // More runs than one call returns, once every third page is discarded.
  static constexpr uint64_t kPages = 4096;
  static constexpr uint64_t kHoles = 4000;

  void SetUp() override {
    auto target = AttachProcess(puppet_.pid());
    ASSERT_TRUE(target) << target.error().message;
    target_ = std::move(*target);
  }

  void Do(Puppet::Order order, uint64_t page, uint64_t pages = 1) {
    puppet_.Tell(order, page, pages);
    while (!puppet_.Done()) {
    }
  }

  std::vector<bool> PagesBy(bool ioctl, const PageQuery& query) const {
    PageMapScanner scanner(target_->pagemap(), query);
    if (!ioctl) scanner.ForceWindows();
    std::vector<bool> pages(kPages);
    TargetAddress reached = puppet_.range().begin;
    const Result<void> scanned = scanner.Scan(puppet_.range(), [&](const FoundPages& found) {
      const AddressRange run = found.range;
      EXPECT_LE(reached, run.begin) << "a page came twice, or out of order";
      EXPECT_LE(run.end, puppet_.range().end);
      reached = run.end;
      for (uint64_t i = 0; i < run.pages().count; ++i) {
        pages[ToPages(run.begin - puppet_.range().begin).count + i] = true;
      }
    });
    EXPECT_TRUE(scanned) << scanned.error().message;
    const Result<bool> any = scanner.FindsAny(puppet_.range());
    EXPECT_EQ(*any, reached != puppet_.range().begin);
    return pages;
  }
  // What both ways say.
  std::vector<bool> PagesWithBoth(const PageQuery& query) const {
    const std::vector<bool> by_ioctl = PagesBy(true, query);
    EXPECT_EQ(by_ioctl, PagesBy(false, query));
    return by_ioctl;
  }
  static uint64_t Count(const std::vector<bool>& pages) {
    uint64_t count = 0;
    for (const bool page : pages) count += page ? 1 : 0;
    return count;
  }

  Puppet puppet_{kPages, kHoles};
  std::unique_ptr<Target> target_;
};

TEST_F(SavePageScannerTest, PresentPagesAreTheSameByIoctlAndByRead) {
  if (!PageMapScanner(target_->pagemap(), kPresent).uses_scan_ioctl()) {
    GTEST_SKIP() << "*** SKIPPED *** this kernel has no PAGEMAP_SCAN";
  }
  EXPECT_EQ(Count(PagesWithBoth(kPresent)), kHoles);
  for (uint64_t page = 0; page < kHoles; page += 3) Do(Puppet::Order::kDiscard, page);
  const std::vector<bool> pages = PagesWithBoth(kPresent);
  for (uint64_t page = 0; page < kPages; ++page) {
    EXPECT_EQ(pages[page], page < kHoles && page % 3 != 0) << page;
  }
}

TEST_F(SavePageScannerTest, ArmedPagesAreTheSameByIoctlAndByRead) {
  if (!PageMapScanner(target_->pagemap(), kArmed).uses_scan_ioctl()) {
    GTEST_SKIP() << "*** SKIPPED *** this kernel has no PAGEMAP_SCAN";
  }
  EXPECT_EQ(Count(PagesWithBoth(kArmed)), 0u);
  const auto channel = FaultChannel::Connect(target_->userfaultfd());
  ASSERT_TRUE(channel) << channel.error().message;
  ASSERT_EQ(channel->Register(puppet_.range()), RegisterOutcome::kDone);
  ASSERT_TRUE(channel->Arm(puppet_.range()));
  EXPECT_EQ(Count(PagesWithBoth(kArmed)), kHoles);
  // Opened ones are left out, single and in runs, and so are holes that are written now.
  for (uint64_t page = 0; page < 3000; page += 2) {
    ASSERT_EQ(channel->Open({puppet_.Page(page), puppet_.Page(page + 1)}), OpenOutcome::kOpened);
  }
  ASSERT_EQ(channel->Open({puppet_.Page(3000), puppet_.Page(3500)}), OpenOutcome::kOpened);
  Do(Puppet::Order::kWrite, kHoles, 10);
  const std::vector<bool> pages = PagesWithBoth(kArmed);
  for (uint64_t page = 0; page < kPages; ++page) {
    const bool armed = page < 3000 ? page % 2 == 1 : page >= 3500 && page < kHoles;
    EXPECT_EQ(pages[page], armed) << page;
  }
  EXPECT_EQ(Count(PagesWithBoth(kPresent)), kHoles + 10);
}

TEST_F(SavePageScannerTest, AnAddressSpaceThatIsGoneIsAnError) {
  puppet_.Tell(Puppet::Order::kExit, 0);
  while (target_->IsAlive()) {
  }
  for (const bool ioctl : {true, false}) {
    PageMapScanner scanner(target_->pagemap(), kPresent);
    if (!ioctl) scanner.ForceWindows();
    const Result<void> scanned = scanner.Scan(puppet_.range(), [](const FoundPages&) {});
    ASSERT_FALSE(scanned);
    EXPECT_EQ(scanned.error().code, ErrorCode::kTargetGone);
    EXPECT_FALSE(scanner.FindsAny(puppet_.range()));
    const std::vector<AddressRange> list = {puppet_.range()};
    EXPECT_FALSE(scanner.Scan(list, PageMapScanner::Between::kNothing, [](const FoundPages&) {}));
  }
}

}  // namespace
}  // namespace stillframe
