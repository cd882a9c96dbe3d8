// Which mappings are worth a userfaultfd of their own, and how they are let go of.
#include <gtest/gtest.h>

#include "save/private_files.h"

namespace stillframe {
namespace {

PlannedMapping Written(Bytes anonymous) {
  PlannedMapping planned;
  planned.mapping.range = {{MiB(1).count}, {MiB(65).count}};
  planned.mapping.inode = 7;
  planned.mapping.anonymous = anonymous;
  planned.saved = planned.mapping.range;
  planned.treatment = Treatment::kCopy;
  return planned;
}

TEST(PrivateFilesWorth, OnlyWrittenPrivateMappingsOfFilesThatAreSavedWhole) {
  EXPECT_TRUE(IsWorthWatching(Written(KiB(64))));
  EXPECT_FALSE(IsWorthWatching(Written(KiB(60))));
  PlannedMapping swapped = Written(Bytes{0});
  swapped.mapping.swapped = KiB(64);
  EXPECT_TRUE(IsWorthWatching(swapped));
  PlannedMapping shared = Written(MiB(8));
  shared.mapping.shared = true;
  EXPECT_FALSE(IsWorthWatching(shared));
  PlannedMapping anonymous = Written(MiB(8));
  anonymous.mapping.inode = 0;
  EXPECT_FALSE(IsWorthWatching(anonymous));
  PlannedMapping huge = Written(MiB(8));
  huge.mapping.hugetlb = true;
  EXPECT_FALSE(IsWorthWatching(huge));
  PlannedMapping header = Written(MiB(8));
  header.saved.end = header.saved.begin + kPageSize;
  EXPECT_FALSE(IsWorthWatching(header));
  PlannedMapping armed = Written(MiB(8));
  armed.treatment = Treatment::kArm;
  EXPECT_FALSE(IsWorthWatching(armed));
}

TEST(PrivateFilesWorth, AMebibyteInAll) {
  std::vector<PlannedMapping> plan(15, Written(KiB(64)));
  plan.push_back(Written(KiB(60)));
  EXPECT_FALSE(HasManyFilePages(plan));
  plan.push_back(Written(KiB(64)));
  EXPECT_TRUE(HasManyFilePages(plan));
  EXPECT_FALSE(HasManyFilePages({}));
}

}  // namespace
}  // namespace stillframe
