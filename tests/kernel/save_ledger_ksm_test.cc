// Pages that the kernel merges under the saver.
#include <unistd.h>

#include <algorithm>
#include <array>

#include "kernel/ksm.h"
#include "kernel/save_ledger.h"

namespace stillframe {
namespace {

class SaveLedgerKsmTest : public SaveLedgerTest {
 protected:
  SaveLedgerKsmTest() { mergeable_ = true; }
};

TEST_F(SaveLedgerKsmTest, PagesThatKsmMergedAreLostWithItsName) {
  if (!KsmOn::IsThere()) GTEST_SKIP() << "this kernel has no KSM";
  // Pages 0, 26 hold the same bytes, and so do 1, 27 and so on.
  Do(Puppet::Order::kMergeable, 0, kHoles);
  const KsmOn ksm;
  // Of two equal pages one becomes the common one and keeps its mark; the other loses it.
  const auto unarmed = [this] {
    std::array<PagemapEntry, kHoles> entries;
    EXPECT_EQ(ReadPagemap(target_->pagemap(), puppet_.Page(0), entries), kHoles);
    return kHoles - static_cast<uint64_t>(std::count_if(entries.begin(), entries.end(), IsProven));
  };
  uint64_t before = 0;
  for (int i = 0; i < 20'000 && (before == 0 || unarmed() != before); ++i) {
    before = unarmed();
    usleep(10'000);
  }
  ASSERT_GT(before, 0u) << "KSM merged nothing";
  Finish();
  EXPECT_GE(sink_.lost.size(), before);
  for (const auto& [page, reason] : sink_.lost) EXPECT_EQ(reason, "ksm");
}

}  // namespace
}  // namespace stillframe
