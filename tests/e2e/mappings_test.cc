// Targets whose mappings are out of the ordinary: thousands of them, left out on purpose, shared
// with others.
#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "image_check.h"
#include "support/files.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/subprocess.h"
#include "support/temp_dir.h"
#include "sys/maps_parser.h"

namespace stillframe::test {
namespace {

class MappingsTest : public testing::Test {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
    STILLFRAME_REQUIRE(MissingProgram("python3"));
  }

  // Runs a script that prints "ready" and then stays; returns once it has.
  Subprocess& Start(const std::string& script) {
    target_.emplace(std::vector<std::string>{"python3", "-c", script});
    EXPECT_TRUE(target_->WaitForOut("ready")) << target_->Err();
    return *target_;
  }
  // Saves it, the oracle copying at the instant and `then` (a shell command) running right after
  // the copy.
  CommandOutcome Save(std::vector<std::string> more = {}, const std::string& then = "") {
    std::vector<std::string> oracle = WithOracle(copy());
    if (!then.empty()) oracle.back() += " && " + then;
    more.insert(more.end(), oracle.begin(), oracle.end());
    return RunSave(target_->pid(), image(), more);
  }
  static std::set<std::string> ReasonsIn(const nlohmann::json& ranges) {
    std::set<std::string> reasons;
    for (const auto& range : ranges) reasons.insert(range["reason"].get<std::string>());
    return reasons;
  }
  std::string image() const { return directory_ / "image"; }
  std::string copy() const { return directory_ / "copy"; }

  TempDir directory_;
  std::optional<Subprocess> target_;
};

TEST_F(MappingsTest, ThousandsOfMappings) {
  Start(
      "import mmap,time\n"
      "keep=[]\n"
      "for i in range(6000):\n"
      "  m=mmap.mmap(-1,8192,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS,\n"
      "              prot=mmap.PROT_READ|mmap.PROT_WRITE|(mmap.PROT_EXEC if i%2 else 0))\n"
      "  m[0:3]=b'%03d'%(i%1000)\n"
      "  keep.append(m)\n"
      "print('ready',flush=True)\n"
      "while True:\n"
      "  for m in keep: m[4096]=(m[4096]+1)%256\n");
  const CommandOutcome save = Save();
  ASSERT_EQ(save.exit_code, kExitDone) << save.err << save.out;
  EXPECT_EQ(WrongInSummary(save.json), "");
  ExpectImageEqualsOracle(image(), copy(), save.json);
  EXPECT_GT(OpenImage(image())->metadata().mappings.size(), 5000u);
}

TEST_F(MappingsTest, DontdumpIsLeftOutWithAWarningAndTakenWhenAskedFor) {
  Start(
      "import mmap,time\n"
      "m=mmap.mmap(-1,64<<20,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS)\n"
      "m.madvise(16)\n"
      "for i in range(0,64<<20,4096): m[i]=1\n"
      "print('ready',flush=True)\n"
      "while True: time.sleep(1)\n");
  CommandOutcome save = Save();
  ASSERT_EQ(save.exit_code, kExitDone) << save.err;
  EXPECT_TRUE(ReasonsIn(save.json["skipped"]).contains("dontdump"));
  EXPECT_LT(save.json["memory_bytes"], 64 << 20);
  EXPECT_NE(save.err.find("dontdump"), std::string::npos) << save.err;

  const TempDir second;
  save = RunSave(target_->pid(), second / "image", {"--include-dontdump"});
  ASSERT_EQ(save.exit_code, kExitDone) << save.err;
  EXPECT_FALSE(ReasonsIn(save.json["skipped"]).contains("dontdump"));
  EXPECT_GT(save.json["memory_bytes"], 64 << 20);
}

TEST_F(MappingsTest, AFilterDecidesWhatIsKept) {
  Start("import time\nprint('ready',flush=True)\ntime.sleep(1000)\n");
  const CommandOutcome save = RunSave(target_->pid(), image(), {"--filter", "0"});
  ASSERT_EQ(save.exit_code, kExitDone) << save.err;
  const auto reader = OpenImage(image());
  ASSERT_NE(reader, nullptr);
  // What the kernel keeps whatever the filter says.
  for (const SavedMapping& saved : reader->metadata().mappings) {
    EXPECT_TRUE(saved.saved.empty() || saved.mapping.name == "[vdso]") << saved.mapping.name;
  }
  const auto maps = ParseMaps(ReadFile("/proc/" + std::to_string(target_->pid()) + "/maps"));
  ASSERT_TRUE(maps) << maps.error().message;
  std::vector<AddressRange> expected;
  for (const Mapping& mapping : *maps) expected.push_back(mapping.range);
  std::vector<AddressRange> listed;
  for (const SavedMapping& saved : reader->metadata().mappings) {
    listed.push_back(saved.mapping.range);
  }
  EXPECT_EQ(listed, expected) << "those that are left out are listed all the same";
}

TEST_F(MappingsTest, MemorySharedWithAnotherProcessIsNamed) {
  Start(
      "import mmap,os,time\n"
      "m=mmap.mmap(-1,4<<20)\n"
      "for i in range(0,4<<20,4096): m[i]=7\n"
      "pid=os.fork()\n"
      "if pid==0:\n"
      "  while os.getppid()!=1: time.sleep(0.05)\n"
      "  os._exit(0)\n"
      "print('ready',flush=True)\n"
      "while True: time.sleep(1)\n");
  const CommandOutcome save = Save();
  ASSERT_EQ(save.exit_code, kExitDone) << save.err;
  EXPECT_TRUE(ReasonsIn(save.json["skipped"]).contains("shared"));
  ExpectImageEqualsOracle(image(), copy(), save.json);
}

// The child's writes to what it shares never fault in the parent.
TEST_F(MappingsTest, AChildThatIsBornAfterTheInstantChangesNothing) {
  Start(
      "import mmap,os,signal,time\n"
      "m=mmap.mmap(-1,16<<20)\n"
      "for i in range(0,16<<20,4096): m[i]=79\n"
      "def go(*a):\n"
      "  if os.fork()==0:\n"
      "    for i in range(0,16<<20,4096): m[i]=78\n"
      "    os._exit(0)\n"
      "signal.signal(signal.SIGUSR1,go)\n"
      "print('ready',flush=True)\n"
      "while True: time.sleep(0.01)\n");
  const CommandOutcome save = Save({"--max-bandwidth", "40M"}, "kill -USR1 $STILLFRAME_PID");
  ASSERT_EQ(save.exit_code, kExitDone) << save.err;
  ExpectImageEqualsOracle(image(), copy(), save.json);
}

}  // namespace
}  // namespace stillframe::test
