// A target that takes thousands of signals a second while it grows, shrinks and moves its memory: a
// call of its own that waits for us is interrupted all the time.
#include <gtest/gtest.h>

#include <string>

#include "image_check.h"
#include "support/files.h"
#include "support/process_view.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/subprocess.h"
#include "support/temp_dir.h"

namespace stillframe::test {
namespace {

// Ends with an error when a call fails or a byte is not what it wrote.
constexpr const char* kScript =
    "import mmap,signal,sys\n"
    "signals=0\n"
    "def count(*a):\n"
    "  global signals\n"
    "  signals+=1\n"
    "signal.signal(signal.SIGALRM,count)\n"
    "M=1<<20\n"
    "anon=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS\n"
    "m=mmap.mmap(-1,16*M,flags=anon)\n"
    "still=mmap.mmap(-1,64*M,flags=anon)\n"
    "for i in range(0,64*M,4096): still[i]=7\n"
    "print('ready',flush=True)\n"
    "signal.setitimer(signal.ITIMER_REAL,0.001,0.0002)\n"
    "n=0\n"
    "while True:\n"
    "  n=(n+1)%250\n"
    "  for i in range(0,16*M,65536): m[i]=n\n"
    "  m.resize(48*M)\n"
    "  for i in range(16*M,48*M,65536): m[i]=n\n"
    "  hole=mmap.mmap(-1,M,flags=anon); hole[0]=1; hole.madvise(4); hole.close()\n"
    "  for i in range(0,48*M,65536):\n"
    "    if m[i]!=n: sys.exit('byte %d of round %d is %d'%(i,n,m[i]))\n"
    "  m.resize(16*M)\n"
    "  if n%10==0: print(signals,flush=True)\n";

TEST(RemappingSignalsTest, EachCallOfTheTargetSucceeds) {
  STILLFRAME_REQUIRE(MissingRoot());
  STILLFRAME_REQUIRE(MissingUserfaultfd());
  STILLFRAME_REQUIRE(MissingProgram("python3"));
  const TempDir directory;
  Subprocess target({"python3", "-c", kScript});
  ASSERT_TRUE(target.WaitForOut("ready")) << target.Err();
  const auto descriptors = DescriptorsOf(target.pid());
  for (int round = 0; round < 10; ++round) {
    const std::string copy = directory / "copy" + std::to_string(round);
    std::vector<std::string> more = WithOracle(copy);
    more.push_back("--force");
    const CommandOutcome save = RunSave(target.pid(), directory / "image", more);
    ASSERT_TRUE(save.exit_code == kExitDone || save.exit_code == kExitLost)
        << "round " << round << ": " << save.exit_code << save.err;
    ExpectImageEqualsOracle(directory / "image", copy, save.json);
    ASSERT_TRUE(target.IsRunning()) << "round " << round << ": " << target.Err();
    EXPECT_EQ(TracesLeftOn(target.pid(), descriptors), "");
    const size_t told = target.Out().size();
    ASSERT_TRUE(Eventually([&] { return target.Out().size() > told; })) << "it makes no progress";
  }
}

}  // namespace
}  // namespace stillframe::test
