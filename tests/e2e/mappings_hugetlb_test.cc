// Huge pages of hugetlb: armed, or copied where they don't fit the stage; never taken from the pool
// by reading a hole.
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "image_check.h"
#include "support/process_view.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/subprocess.h"
#include "support/temp_dir.h"

namespace stillframe::test {
namespace {

constexpr const char* kPool = "/proc/sys/vm/nr_hugepages";

long ReadPool() {
  long pages = 0;
  std::ifstream(kPool) >> pages;
  return pages;
}

// Some more huge pages for as long as this lives.
class MoreHugePages {
 public:
  explicit MoreHugePages(long more) : before_(ReadPool()) {
    std::ofstream(kPool) << before_ + more;
    missing_ = ReadPool() >= before_ + more
                   ? ""
                   : std::to_string(more) + " free huge pages (" + kPool + ")";
  }
  ~MoreHugePages() { std::ofstream(kPool) << before_; }
  // Empty when they could be had.
  const std::string& missing() const { return missing_; }

 private:
  long before_;
  std::string missing_;
};

class HugetlbTest : public testing::TestWithParam<std::vector<std::string>> {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingRoot());
    STILLFRAME_REQUIRE(MissingUserfaultfd());
    STILLFRAME_REQUIRE(MissingProgram("python3"));
    pages_ = std::make_unique<MoreHugePages>(16);
    STILLFRAME_REQUIRE(pages_->missing());
  }

  // Two huge pages of each mapping are written, and one or two are holes.
  const std::vector<std::string> kTarget = {
      "python3", "-c",
      "import mmap,os\n"
      "H=2<<20\n"
      "anon=mmap.mmap(-1,4*H,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS|0x40000)\n"
      "fd=os.memfd_create('huge',os.MFD_HUGETLB)\n"
      "os.ftruncate(fd,4*H)\n"
      "shared=mmap.mmap(fd,4*H)\n"
      "for m in (anon,shared):\n"
      "  for i in (0,2):\n"
      "    for o in range(0,H,4096): m[i*H+o]=1+i\n"
      // Of the file's page 1 nothing is in the page tables, but there is data in it.
      "other=mmap.mmap(fd,4*H); other[H]=77; del other\n"
      "private=mmap.mmap(fd,4*H,flags=mmap.MAP_PRIVATE)\n"
      "private[2*H+5]=99\n"
      "print('ready',flush=True)\n"
      "n=0\n"
      "while True:\n"
      "  n=(n+1)%250\n"
      "  for o in range(0,H,4096): anon[o]=n; private[2*H+o]=n\n"};

  TempDir directory_;
  std::unique_ptr<MoreHugePages> pages_;
};

TEST_P(HugetlbTest, IsSavedAsItWasAndNoHoleIsFilled) {
  Subprocess target(kTarget);
  ASSERT_TRUE(target.WaitForOut("ready")) << target.Err();
  const std::string before = StatusField(target.pid(), "HugetlbPages");
  const std::string image = directory_ / "image";
  const std::string copy = directory_ / "copy";
  std::vector<std::string> more = GetParam();
  more.insert(more.end(), {"--filter", "0x7f", "--max-stall", "20s"});
  const std::vector<std::string> oracle = WithOracle(copy);
  more.insert(more.end(), oracle.begin(), oracle.end());
  const CommandOutcome save = RunSave(target.pid(), image, more);
  ASSERT_EQ(save.exit_code, kExitDone) << save.err << save.out;
  EXPECT_EQ(WrongInSummary(save.json), "") << save.json.dump(1);
  ExpectImageEqualsOracle(image, copy, save.json);
  EXPECT_EQ(StatusField(target.pid(), "HugetlbPages"), before);
  for (const auto& skipped : save.json["skipped"]) EXPECT_NE(skipped["reason"], "unreadable");
  EXPECT_TRUE(target.IsRunning()) << target.Err();
}

INSTANTIATE_TEST_SUITE_P(Ways, HugetlbTest,
                         testing::Values(std::vector<std::string>{},
                                         std::vector<std::string>{"--stage", "1M"},
                                         std::vector<std::string>{"--via", "stop"},
                                         std::vector<std::string>{"--via", "fork"}),
                         [](const auto& info) {
                           const std::vector<std::string>& more = info.param;
                           if (more.empty()) return std::string("Armed");
                           return more[0] == "--via" ? "Via_" + more[1] : std::string("Copied");
                         });

}  // namespace
}  // namespace stillframe::test
