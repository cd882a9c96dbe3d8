#include "save/save_plan.h"

#include <gtest/gtest.h>

#include "save/mapping_details.h"
#include "save/scan_order.h"

namespace stillframe {
namespace {

Mapping Anonymous(uint64_t begin, uint64_t end) {
  Mapping m;
  m.range = {{begin}, {end}};
  m.readable = m.writable = true;
  m.has_details = true;
  m.resident = m.range.size();
  m.anonymous = m.range.size();
  return m;
}
Mapping File(uint64_t begin, uint64_t end, uint64_t offset = 0) {
  Mapping m = Anonymous(begin, end);
  m.inode = 12;
  m.file_offset = offset;
  m.name = "/usr/bin/thing";
  m.anonymous = Bytes{0};
  m.writable = false;
  return m;
}
Mapping Shared(uint64_t begin, uint64_t end, uint64_t inode = 99) {
  Mapping m = File(begin, end);
  m.shared = true;
  m.writable = true;
  m.inode = inode;
  m.name = "/memfd:x (deleted)";
  return m;
}
PlannedMapping Plan(const Mapping& mapping, PlanRules rules = {}) {
  if (!rules.is_elf) rules.is_elf = [](TargetAddress) { return true; };
  return PlanMappings({&mapping, 1}, rules).front();
}

TEST(SavePlanTest, PrivateAnonymousMemoryIsArmed) {
  const PlannedMapping plan = Plan(Anonymous(0x1000, 0x9000));
  EXPECT_EQ(plan.treatment, Treatment::kArm);
  EXPECT_EQ(plan.saved, plan.mapping.range);
  EXPECT_EQ(Plan(Anonymous(0x1000, 0x9000), {.filter = 0}).reason, "filter");
}

TEST(SavePlanTest, AFileThatWasWrittenIsCopiedWhole) {
  Mapping data = File(0x1000, 0x9000, 0x2000);
  EXPECT_EQ(Plan(data).reason, "filter");
  data.anonymous = kPageSize;
  const PlannedMapping plan = Plan(data);
  EXPECT_EQ(plan.treatment, Treatment::kCopy);
  EXPECT_EQ(plan.saved, data.range);
}

TEST(SavePlanTest, AFileThatWasWrittenAndSwappedOutIsCopiedToo) {
  Mapping data = File(0x1000, 0x9000, 0x2000);
  data.swapped = kPageSize;
  EXPECT_EQ(Plan(data).treatment, Treatment::kCopy);
}

TEST(SavePlanTest, OfAnElfFileTheFirstPageIsKept) {
  const Mapping text = File(0x1000, 0x9000);
  const PlannedMapping plan = Plan(text);
  EXPECT_EQ(plan.treatment, Treatment::kCopy);
  EXPECT_EQ(plan.saved, (AddressRange{{0x1000}, {0x2000}}));
  EXPECT_EQ(Plan(text, {.is_elf = [](TargetAddress) { return false; }}).reason, "filter");
  EXPECT_EQ(Plan(text, {.filter = 0x23}).reason, "filter");
  EXPECT_EQ(Plan(text, {.filter = 0x04}).saved, text.range);
}

TEST(SavePlanTest, WhatIsMarkedDontdumpIsLeftOutUnlessAskedFor) {
  Mapping m = Anonymous(0x1000, 0x2000);
  m.dont_dump = true;
  EXPECT_EQ(Plan(m).reason, "dontdump");
  EXPECT_EQ(Plan(m, {.include_dontdump = true}).treatment, Treatment::kArm);
  m.io = true;
  EXPECT_EQ(Plan(m, {.include_dontdump = true}).reason, "io");
}

TEST(SavePlanTest, TheVdsoIsAlwaysKeptAndItsDataNever) {
  Mapping vdso = Anonymous(0x1000, 0x3000);
  vdso.name = "[vdso]";
  vdso.dont_dump = true;
  EXPECT_EQ(Plan(vdso, {.filter = 0}).treatment, Treatment::kCopy);
  Mapping vvar = Anonymous(0x1000, 0x3000);
  vvar.name = "[vvar]";
  EXPECT_EQ(Plan(vvar).reason, "io");
}

TEST(SavePlanTest, SharedMemoryIsCopiedSinceAChildOrItsFileMayChangeIt) {
  const Mapping m = Shared(0x1000, 0x9000);
  EXPECT_EQ(Plan(m).treatment, Treatment::kCopy);
  EXPECT_EQ(Plan(m).reason, "");
  const PlannedMapping elsewhere = Plan(m, {.mapped_by_others = {FileOf(m)}});
  EXPECT_EQ(elsewhere.treatment, Treatment::kCopy);
  EXPECT_EQ(elsewhere.reason, "shared");
}

TEST(SavePlanTest, SharedMemoryOfOnesOwnIsArmedUnlessSomebodyElseMapsIt) {
  const Mapping m = Shared(0x1000, 0x9000);
  EXPECT_EQ(Plan(m, {.arm_shared = true}).treatment, Treatment::kArm);
  EXPECT_EQ(Plan(m, {.arm_shared = true, .mapped_by_others = {FileOf(m)}}).treatment,
            Treatment::kCopy);
}

TEST(SavePlanTest, SharedMemoryThatTheTargetMapsTwiceIsCopied) {
  const std::vector<Mapping> twice{Shared(0x1000, 0x9000), Shared(0x10000, 0x18000)};
  for (const PlannedMapping& plan : PlanMappings(twice, {.arm_shared = true})) {
    EXPECT_EQ(plan.treatment, Treatment::kCopy);
    EXPECT_EQ(plan.reason, "shared");
  }
  std::vector<Mapping> halves{Shared(0x1000, 0x9000), Shared(0x10000, 0x18000)};
  halves[1].file_offset = 0x8000;
  for (const PlannedMapping& plan : PlanMappings(halves, {.arm_shared = true}))
    EXPECT_EQ(plan.treatment, Treatment::kArm);
}

TEST(SavePlanTest, ANamedSharedFileNeedsItsOwnBit) {
  Mapping m = Shared(0x1000, 0x9000);
  m.name = "/data/file";
  EXPECT_EQ(Plan(m).reason, "filter");
  EXPECT_EQ(Plan(m, {.filter = 0x8}).saved, m.range);
}

TEST(SavePlanTest, HugePagesAreArmedWhereTheyFitTheStage) {
  Mapping m = Shared(0x200000, 0x600000);
  m.shared = false;
  m.hugetlb = true;
  m.name = "/anon_hugepage (deleted)";
  m.kernel_page_size = MiB(2);
  EXPECT_EQ(Plan(m, {.largest_page = MiB(2)}).treatment, Treatment::kArm);
  EXPECT_EQ(Plan(m, {.largest_page = MiB(1)}).treatment, Treatment::kCopy);
  EXPECT_EQ(Plan(m, {.filter = 0x13, .largest_page = MiB(2)}).reason, "filter");
}

TEST(SavePlanTest, HugePagesOfAFileAreCopiedSinceTheirHolesAreTheFiles) {
  Mapping m = Shared(0x200000, 0x600000);
  m.hugetlb = true;
  m.kernel_page_size = MiB(2);
  EXPECT_EQ(Plan(m, {.filter = 0x7f, .largest_page = MiB(2)}).treatment, Treatment::kCopy);
  m.shared = false;
  EXPECT_EQ(Plan(m, {.filter = 0x7f, .largest_page = MiB(2)}).treatment, Treatment::kCopy);
}

TEST(MappingDetailsTest, AMappingThatGrewKeepsItsFlags) {
  Mapping before = Anonymous(0x1000, 0x4000);
  before.dont_dump = true;
  std::vector<Mapping> now{Anonymous(0x1000, 0x9000)};
  now[0].has_details = false;
  EXPECT_TRUE(CarryDetails({&before, 1}, &now));
  EXPECT_TRUE(now[0].dont_dump);
}

TEST(MappingDetailsTest, ANewFileMappingNeedsToBeLookedAt) {
  const Mapping before = Anonymous(0x1000, 0x4000);
  Mapping fresh = File(0x5000, 0x6000);
  fresh.has_details = false;
  std::vector<Mapping> now{fresh};
  EXPECT_FALSE(CarryDetails({&before, 1}, &now));
  Mapping anonymous = Anonymous(0x5000, 0x6000);
  anonymous.has_details = false;
  now = {anonymous};
  EXPECT_TRUE(CarryDetails({&before, 1}, &now));
}

TEST(MappingDetailsTest, AWritableFileMappingMayHaveBeenWrittenMeanwhile) {
  Mapping data = File(0x1000, 0x4000);
  data.writable = true;
  std::vector<Mapping> now{data};
  EXPECT_TRUE(CarryDetails({&data, 1}, &now));
  EXPECT_GT(now[0].anonymous.count, 0u);
}

TEST(EndOfStretchTest, MappingsThatTouchAndAreTreatedAlikeAreOne) {
  const auto planned = [](const Mapping& mapping, Treatment treatment) {
    return PlannedMapping{
        .mapping = mapping, .treatment = treatment, .saved = mapping.range, .reason = {}};
  };
  const std::vector<PlannedMapping> plan = {
      planned(Anonymous(0x1000, 0x3000), Treatment::kArm),
      planned(Anonymous(0x3000, 0x4000), Treatment::kArm),
      planned(File(0x4000, 0x6000), Treatment::kArm),  // another sort
      planned(File(0x6000, 0x7000), Treatment::kArm),
      planned(Anonymous(0x8000, 0x9000), Treatment::kArm),  // apart
      planned(Anonymous(0x9000, 0xa000), Treatment::kCopy),
  };
  EXPECT_EQ(EndOfStretch(plan, 0), 2u);
  EXPECT_EQ(EndOfStretch(plan, 1), 2u);
  EXPECT_EQ(EndOfStretch(plan, 2), 4u);
  EXPECT_EQ(EndOfStretch(plan, 4), 5u);
  EXPECT_EQ(EndOfStretch(plan, 5), 6u);
}

TEST(ScanOrderTest, SmallRegionsComeFirstAndLowOnesAmongEquals) {
  const RegionSet regions({{.range = {{0x100000}, {0x900000}}, .first = {}},
                           {.range = {{0x1000000}, {0x1010000}}, .first = {}},
                           {.range = {{0x2000000}, {0x2011000}}, .first = {}},
                           {.range = {{0x3000000}, {0x3001000}}, .first = {}}});
  const std::vector<PageRun> order = ScanOrder(regions.regions());
  ASSERT_EQ(order.size(), 4u);
  EXPECT_EQ(order[0].count, Pages{1});
  EXPECT_EQ(order[1].count, Pages{16});
  EXPECT_EQ(order[2].count, Pages{17});
  EXPECT_EQ(order[3].count, Pages{2048});
}

TEST(HotRunsTest, RunsOfHotPagesComeByRegion) {
  const RegionSet set({{.range = {{0x10000}, {0x20000}}, .first = {}},
                       {.range = {{0x40000}, {0x80000}}, .first = {}}});
  PageBitmap hot(set.pages());
  hot.SetRun({PageIndex{3}, Pages{2}});
  hot.SetRun({PageIndex{15}, Pages{3}});  // the last of one and the first two of the other
  const std::vector<PageRun> expected = {
      {PageIndex{3}, Pages{2}}, {PageIndex{15}, Pages{1}}, {PageIndex{16}, Pages{2}}};
  EXPECT_EQ(HotRuns(set.regions(), hot), expected);
}

TEST(HotRunsTest, OfAGreatManyOnlyTheFirstAreTaken) {
  const RegionSet set(std::vector<Region>{{.range = {{0x10000000}, {0x40000000}}, .first = {}}});
  PageBitmap hot(set.pages());
  for (uint64_t page = 0; page < set.pages().count; page += 2)
    hot.SetRun({PageIndex{page}, Pages{1}});
  ASSERT_GT(set.pages().count / 2, kMostHotRuns);
  EXPECT_EQ(HotRuns(set.regions(), hot).size(), kMostHotRuns);
}

}  // namespace
}  // namespace stillframe
