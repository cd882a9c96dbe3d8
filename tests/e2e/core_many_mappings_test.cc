// More mappings than an ELF header can count (PN_XNUM).
#include <fcntl.h>
#include <unistd.h>

#include <sstream>

#include "core_check.h"
#include "support/gdb.h"

namespace stillframe::test {
namespace {

constexpr char kLimitFile[] = "/proc/sys/vm/max_map_count";

// The system's limit of mappings per process, at least `least` while this lives.
class MappingLimit {
 public:
  explicit MappingLimit(unsigned long least) : before_(ReadFile(kLimitFile)) {
    if (std::strtoul(before_.c_str(), nullptr, 10) >= least) return;
    changed_ = Set(std::to_string(least));
  }
  MappingLimit(const MappingLimit&) = delete;
  MappingLimit& operator=(const MappingLimit&) = delete;
  ~MappingLimit() {
    if (changed_) Set(before_);
  }

 private:
  static bool Set(const std::string& value) {
    const UniqueFd file(open(kLimitFile, O_WRONLY | O_CLOEXEC));
    return file &&
           write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
  }

  const std::string before_;
  bool changed_ = false;
};

class CoreManyMappingsTest : public CoreTest {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingProgram("gdb"));
    STILLFRAME_REQUIRE(MissingProgram("readelf"));
    CoreTest::SetUp();
  }
};

TEST_F(CoreManyMappingsTest, SeventyThousandAreReadByReadelfAndGdb) {
  constexpr size_t kMappings = 70'000;
  const MappingLimit limit(kMappings + 1000);
  Subprocess target({TestTarget("many_mappings_target"), std::to_string(kMappings)});
  ASSERT_TRUE(target.WaitForOut("\n")) << target.Err();
  STILLFRAME_REQUIRE(target.Out() == "limit\n" ? "the right to raise vm.max_map_count" : "");
  std::istringstream ready(target.Out());
  std::string word;
  TargetAddress begin;
  ready >> word >> begin.value;
  ASSERT_FALSE(ready.fail()) << target.Out();

  const CommandOutcome outcome = RunCore(target.pid(), core(), WithWitnesses());
  ASSERT_EQ(outcome.exit_code, kExitDone) << outcome.err << outcome.out;
  const auto file = ExpectCoreOfTheInstant(outcome);
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->header_count(), 0xffffu);
  EXPECT_GT(file->segments().size(), kMappings);

  const Finished readelf = RunToEnd({"readelf", "-lW", core()});
  EXPECT_EQ(readelf.exit_code, 0);
  EXPECT_EQ(readelf.err, "");
  size_t loads = 0;
  for (const std::string& line : Lines(readelf.out)) loads += line.starts_with("  LOAD ") ? 1 : 0;
  EXPECT_EQ(loads, file->segments().size());

  // One beyond what fits 16 bits, and one that is writable.
  const uint64_t last = (kMappings - 1) / 64 * 64;
  const GdbAnswers gdb =
      AskGdb(TestTarget("many_mappings_target"), core(),
             {"print *(unsigned long*)" + std::to_string(begin.value + last * kPageSize.count + 8),
              "print *(unsigned long*)" + std::to_string(begin.value + 128 * kPageSize.count),
              "print *(char*)" + std::to_string(begin.value + kPageSize.count), "bt"});
  EXPECT_EQ(gdb.answers[0], "$1 = " + std::to_string(last) + "\n");
  EXPECT_EQ(gdb.answers[1], "$2 = 128\n");
  EXPECT_EQ(gdb.answers[2], "$3 = 0 '\\000'\n");
  EXPECT_NE(gdb.answers[3].find("main"), std::string::npos) << gdb.answers[3];
}

}  // namespace
}  // namespace stillframe::test
