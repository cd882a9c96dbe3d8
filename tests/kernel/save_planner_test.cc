// The plan follows the target's mappings into the pause, at little cost there.
#include "save/save_planner.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace stillframe {
namespace {

// This process, with the mappings that a test names. Counts what it is asked.
class FakeTarget final : public Target {
 public:
  pid_t pid() const override { return getpid(); }
  int userfaultfd() const override { return -1; }
  void CloseUserfaultfd() override {}
  int pagemap() const override { return -1; }
  bool IsAlive() const override { return true; }
  Result<void> CheckAlive() const override { return {}; }
  Result<std::vector<Mapping>> ReadMappings(bool details) const override {
    ++(details ? detailed : plain);
    std::vector<Mapping> read = mappings;
    for (Mapping& mapping : read) mapping.has_details = details;
    return read;
  }
  ReadOutcome Read(TargetAddress, std::span<const iovec>) const override { return {}; }
  size_t PendingDiscards(std::span<AddressRange>) const override { return 0; }
  Result<void> Pause(const PauseOptions&) override { return {}; }
  Result<void> Resume() override { return {}; }
  Result<void> AwaitSystemCalls(const PauseOptions&) override { return {}; }
  Result<std::unique_ptr<FrozenMemory>> Fork() override {
    return Fail(ErrorCode::kUnsupported, "no fork");
  }
  Result<ProcessState> CaptureState() override { return ProcessState{}; }
  Duration PauseDuration() const override { return {}; }
  Duration AttachDuration() const override { return {}; }

  std::vector<Mapping> mappings;
  mutable int detailed = 0;
  mutable int plain = 0;
};

class SavePlannerTest : public testing::Test {
 protected:
  static constexpr size_t kSize = 4 << 12;

  // Maps a file of this process and describes it as maps would.
  Mapping MapFile(bool shared) {
    void* at = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE,
                    file_.get(), 0);
    EXPECT_NE(at, MAP_FAILED);
    Mapping mapping;
    mapping.range.begin = {reinterpret_cast<uint64_t>(at)};
    mapping.range.end = mapping.range.begin + Bytes{kSize};
    mapping.readable = mapping.writable = true;
    mapping.shared = shared;
    mapping.inode = 77;
    mapping.name = "/memfd:planner (deleted)";
    return mapping;
  }
  void Add(const Mapping& mapping) {
    target_.mappings.push_back(mapping);
    std::ranges::sort(target_.mappings, {}, [](const Mapping& m) { return m.range.begin; });
  }
  Treatment TreatmentOf(const Mapping& mapping) {
    for (const PlannedMapping& planned : planner_.plan()) {
      if (planned.mapping.range == mapping.range) return planned.treatment;
    }
    ADD_FAILURE() << "it is not planned";
    return Treatment::kSkip;
  }

  const UniqueFd file_{memfd_create("planner", MFD_CLOEXEC)};
  FakeTarget target_;
  SaveOptions options_{.filter = 0x33};
  SavePlanner planner_{target_, options_, false};
};

TEST_F(SavePlannerTest, ANewFileMappingCostsNoWalkOverAllMemory) {
  if (geteuid() != 0) GTEST_SKIP() << "*** SKIPPED *** not root";
  ASSERT_TRUE(planner_.Make({}));
  EXPECT_EQ(target_.detailed, 1);
  const Mapping shared = MapFile(true);
  const Mapping written = MapFile(false);
  Add(shared);
  Add(written);
  ASSERT_TRUE(planner_.Refresh());
  EXPECT_EQ(target_.detailed, 1);
  EXPECT_EQ(target_.plain, 1);
  EXPECT_EQ(TreatmentOf(shared), Treatment::kCopy);
  EXPECT_EQ(TreatmentOf(written), Treatment::kCopy);
  for (const Mapping& mapping : planner_.mappings()) EXPECT_TRUE(mapping.has_details);
}

TEST_F(SavePlannerTest, AFileThatCanNotBeAskedCostsOne) {
  ASSERT_TRUE(planner_.Make({}));
  Mapping nowhere = MapFile(true);
  ASSERT_EQ(munmap(reinterpret_cast<void*>(nowhere.range.begin.value), kSize), 0);
  Add(nowhere);
  ASSERT_TRUE(planner_.Refresh());
  EXPECT_EQ(target_.detailed, 2);
  EXPECT_EQ(TreatmentOf(nowhere), Treatment::kCopy);
}

TEST_F(SavePlannerTest, AFilterOfTheCallersStandsForTheTargetsOwn) {
  ASSERT_TRUE(planner_.Make({}));
  EXPECT_EQ(planner_.filter(), 0x33u);
}

}  // namespace
}  // namespace stillframe
