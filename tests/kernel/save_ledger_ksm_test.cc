// Pages that the kernel merges under the saver.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>

#include "kernel/save_ledger.h"

namespace stillframe {
namespace {

// Turns KSM on for a while.
class KsmOn {
 public:
  KsmOn() {
    Set("sleep_millisecs", "1");
    Set("pages_to_scan", "5000");
    Set("run", "1");
  }
  ~KsmOn() {
    Set("run", run_);
    Set("pages_to_scan", pages_);
    Set("sleep_millisecs", sleep_);
  }

 private:
  static std::string Get(const std::string& name) {
    std::string value;
    std::ifstream("/sys/kernel/mm/ksm/" + name) >> value;
    return value;
  }
  static void Set(const std::string& name, const std::string& value) {
    std::ofstream("/sys/kernel/mm/ksm/" + name) << value;
  }
  const std::string run_ = Get("run");
  const std::string pages_ = Get("pages_to_scan");
  const std::string sleep_ = Get("sleep_millisecs");
};

class SaveLedgerKsmTest : public SaveLedgerTest {
 protected:
  SaveLedgerKsmTest() { mergeable_ = true; }
};

TEST_F(SaveLedgerKsmTest, PagesThatKsmMergedAreLostWithItsName) {
  if (!std::ifstream("/sys/kernel/mm/ksm/run")) GTEST_SKIP() << "this kernel has no KSM";
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
