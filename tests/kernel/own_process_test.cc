// One's own memory as a target.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "stillframe/target.h"
#include "sys/userfaultfd.h"

namespace stillframe::test {
namespace {

constexpr size_t kPages = 16;
constexpr size_t kSize = kPages * 4096;

class OwnMemory {
 public:
  OwnMemory()
      : data_(static_cast<char*>(
            mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {}
  ~OwnMemory() { munmap(data_, kSize); }
  char* data() const { return data_; }
  // Pages [from, to).
  AddressRange Range(size_t from = 0, size_t to = kPages) const {
    const auto base = reinterpret_cast<uint64_t>(data_);
    return {{base + from * 4096}, {base + to * 4096}};
  }

 private:
  char* data_;
};

ErrorCode CodeFor(std::vector<AddressRange> ranges) {
  const auto target = OpenOwnProcess(std::move(ranges), {});
  EXPECT_FALSE(target.has_value());
  return target ? ErrorCode::kInternal : target.error().code;
}

TEST(OwnProcess, RangesThatMakeNoSenseAreRefused) {
  OwnMemory memory;
  AddressRange odd = memory.Range();
  odd.begin.value += 8;
  EXPECT_EQ(CodeFor({}), ErrorCode::kUsage);
  EXPECT_EQ(CodeFor({odd}), ErrorCode::kUsage);
  EXPECT_EQ(CodeFor({memory.Range(3, 3)}), ErrorCode::kUsage);
  EXPECT_EQ(CodeFor({memory.Range(0, 4), memory.Range(3, 5)}), ErrorCode::kUsage);
  EXPECT_EQ(CodeFor({{{0x10000}, {0x12000}}}), ErrorCode::kUsage) << "not mapped";
  munmap(memory.data() + 8 * 4096, 4096);
  EXPECT_EQ(CodeFor({memory.Range()}), ErrorCode::kUsage) << "a hole in the middle";
}

TEST(OwnProcess, MappingsAreCutToTheRanges) {
  OwnMemory memory;
  mprotect(memory.data() + 4 * 4096, 4096, PROT_READ);
  auto target = OpenOwnProcess({memory.Range(8, 10), memory.Range(2, 6)}, {});
  ASSERT_TRUE(target.has_value()) << target.error().message;
  const auto mappings = (*target)->ReadMappings(true);
  ASSERT_TRUE(mappings.has_value());
  ASSERT_EQ(mappings->size(), 4u);
  EXPECT_EQ((*mappings)[0].range, memory.Range(2, 4));
  EXPECT_EQ((*mappings)[1].range, memory.Range(4, 5));
  EXPECT_FALSE((*mappings)[1].writable);
  EXPECT_EQ((*mappings)[2].range, memory.Range(5, 6));
  EXPECT_EQ((*mappings)[3].range, memory.Range(8, 10));
  EXPECT_TRUE((*mappings)[3].has_details);
}

TEST(OwnProcess, MemoryIsReadAndTheUserfaultfdIsOurs) {
  OwnMemory memory;
  std::memset(memory.data(), 7, kSize);
  auto target = OpenOwnProcess({memory.Range()}, {});
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ((*target)->pid(), getpid());
  EXPECT_TRUE((*target)->IsAlive());
  char byte[2] = {};
  const iovec to{.iov_base = byte, .iov_len = 2};
  const ReadOutcome outcome = (*target)->Read(memory.Range().begin, {&to, 1});
  EXPECT_EQ(outcome.copied.count, 2u);
  EXPECT_EQ(byte[1], 7);
  ASSERT_TRUE(UffdApi((*target)->userfaultfd(), 0).ok());
  EXPECT_TRUE(UffdRegisterWriteProtect((*target)->userfaultfd(), memory.Range()).ok());
  EXPECT_TRUE((*target)->ReadMappings(true)->at(0).tracked);
}

TEST(OwnProcess, PauseIsTheCallersTwoFunctions) {
  OwnMemory memory;
  int quiesced = 0;
  int resumed = 0;
  {
    auto target = OpenOwnProcess({memory.Range()}, {.quiesce = [&]() -> Result<void> {
                                                      ++quiesced;
                                                      return {};
                                                    },
                                                    .resume = [&] { ++resumed; }});
    ASSERT_TRUE(target.has_value());
    const auto state = (*target)->CaptureState();
    ASSERT_TRUE(state.has_value());
    EXPECT_EQ(state->threads.at(0).tid, getpid());
    EXPECT_TRUE((*target)->Resume().has_value()) << "harmless when not paused";
    EXPECT_EQ(resumed, 0);
    ASSERT_TRUE((*target)->Pause(std::chrono::seconds(1)).has_value());
    ASSERT_TRUE((*target)->Resume().has_value());
    EXPECT_GT((*target)->PauseDuration().count(), 0);
    ASSERT_TRUE((*target)->Pause(std::chrono::seconds(1)).has_value());
  }
  EXPECT_EQ(quiesced, 2);
  EXPECT_EQ(resumed, 2) << "the destructor undoes a pause";
}

TEST(OwnProcess, QuiesceThatFailsFailsThePause) {
  OwnMemory memory;
  int resumed = 0;
  auto target = OpenOwnProcess(
      {memory.Range()}, {.quiesce = []() -> Result<void> { return Fail(ErrorCode::kLimit, "no"); },
                         .resume = [&] { ++resumed; }});
  ASSERT_TRUE(target.has_value());
  const auto paused = (*target)->Pause(std::chrono::seconds(1));
  ASSERT_FALSE(paused.has_value());
  EXPECT_EQ(paused.error().message, "no");
  EXPECT_EQ(resumed, 0);
}

}  // namespace
}  // namespace stillframe::test
