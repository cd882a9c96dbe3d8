// A page that was lost is missing in the core, and looks like it: no debugger shows zeros in its
// place.
#include <elf.h>

#include <cinttypes>
#include <cstdio>

#include "core_check.h"
#include "evaluate/page_pattern.h"
#include "scripted.h"
#include "support/gdb.h"

namespace stillframe::test {
namespace {

std::string Hex(TargetAddress address) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%" PRIx64, address.value);
  return text;
}

// What docs/core.md says of our own note, read by other code than that which writes it.
constexpr uint32_t kOwnNote = 0x52465453;

struct OwnNote {
  uint64_t lost_bytes = 0;
  struct Range {
    AddressRange range;
    uint32_t kind = 0;
    std::string reason;
  };
  std::vector<Range> ranges;
};

OwnNote ParseOwnNote(const CoreNote& note) {
  OwnNote parsed;
  const auto number = [&](size_t offset, auto value) {
    EXPECT_LE(offset + sizeof(value), note.data.size());
    if (offset + sizeof(value) <= note.data.size()) {
      std::memcpy(&value, &note.data[offset], sizeof(value));
    }
    return value;
  };
  EXPECT_EQ(number(0, uint32_t{0}), 1u) << "version";
  const uint32_t reason_count = number(4, uint32_t{0});
  parsed.lost_bytes = number(24, uint64_t{0});
  const uint32_t range_count = number(48, uint32_t{0});
  size_t at = 56 + range_count * 24;
  std::vector<std::string> reasons;
  while (reasons.size() < reason_count && at < note.data.size()) {
    const auto* text = reinterpret_cast<const char*>(&note.data[at]);
    reasons.emplace_back(text, strnlen(text, note.data.size() - at));
    at += reasons.back().size() + 1;
  }
  EXPECT_EQ(at, note.data.size()) << "there is more, or less, than it says";
  for (uint32_t i = 0; i < range_count; ++i) {
    const size_t range = 56 + i * 24;
    parsed.ranges.push_back(
        {.range = {{number(range, uint64_t{0})}, {number(range + 8, uint64_t{0})}},
         .kind = number(range + 16, uint32_t{0}),
         .reason = reasons.at(number(range + 20, uint32_t{0}))});
  }
  return parsed;
}

class CoreLostTest : public CoreTest {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(MissingProgram("gdb"));
    CoreTest::SetUp();
  }

  // A slow core, in whose pause the target is told to unmap the second half of its memory: it does
  // so as soon as it runs again, when hardly a page is saved.
  CommandOutcome TakeCoreWhileUnmapping() {
    std::vector<std::string> more =
        WithWitnesses({"--max-bandwidth", "24M", "--stage", "1M", "--max-stall", "60s"});
    more.back() += " && echo unmap > " + target_.fifo();
    return RunCore(target_.pid(), core(), more);
  }

  ScriptedTarget target_;
};

TEST_F(CoreLostTest, LostPagesCannotBeReadAndTheirNeighboursCan) {
  const CommandOutcome outcome = TakeCoreWhileUnmapping();
  ASSERT_EQ(outcome.exit_code, kExitLost) << outcome.err << outcome.out;
  const auto file = ExpectCoreOfTheInstant(outcome);
  ASSERT_NE(file, nullptr);
  const std::vector<AddressRange> lost = LostIn(outcome.json);
  ASSERT_FALSE(lost.empty());
  EXPECT_GT(outcome.json["pages"]["lost"], 0);

  const CoreNote* note = file->Note("Stillframe", kOwnNote);
  ASSERT_NE(note, nullptr);
  const OwnNote own = ParseOwnNote(*note);
  EXPECT_EQ(own.lost_bytes, outcome.json["pages"]["lost"].get<uint64_t>() * kPageSize.count);
  ASSERT_EQ(own.ranges.size(), lost.size());
  for (size_t i = 0; i < lost.size(); ++i) {
    EXPECT_EQ(own.ranges[i].range, lost[i]);
    EXPECT_EQ(own.ranges[i].kind, 1u);
    EXPECT_EQ(own.ranges[i].reason, outcome.json["lost"][i]["reason"]);
  }

  // Of the first lost range: its first and last word, and the words on both sides of it.
  const AddressRange range = lost[0];
  const uint64_t first_page = (range.begin - target_.anonymous().begin).count / kPageSize.count;
  std::vector<std::byte> before(kPageSize.count);
  ASSERT_TRUE(file->Read(range.begin - kPageSize, before));
  EXPECT_FALSE(evaluate::FindWrongWord(before.data(), 7, first_page - 1, 1));
  std::byte nothing[8];
  EXPECT_FALSE(file->Read(range.begin, nothing));
  EXPECT_FALSE(file->Read(range.end - Bytes{8}, nothing));

  const GdbAnswers gdb =
      AskGdb(TestTarget("scripted_target"), core(),
             {"x/xg " + Hex(range.begin), "x/xg " + Hex(range.end - Bytes{8}),
              "x/xg " + Hex(range.begin - Bytes{8}), "print/x *(long*)" + Hex(range.begin),
              "x/xg " + Hex(target_.anonymous().begin), "bt"});
  EXPECT_NE(gdb.answers[0].find("Cannot access memory at address " + Hex(range.begin)),
            std::string::npos)
      << gdb.answers[0];
  EXPECT_NE(gdb.answers[1].find("Cannot access memory"), std::string::npos) << gdb.answers[1];
  uint64_t word = 0;
  std::memcpy(&word, &before[kPageSize.count - 8], sizeof(word));
  char said[64];
  std::snprintf(said, sizeof(said), ":\t0x%016" PRIx64 "\n", word);
  EXPECT_NE(gdb.answers[2].find(said), std::string::npos) << gdb.answers[2] << said;
  EXPECT_NE(gdb.answers[3].find("Cannot access memory"), std::string::npos) << gdb.answers[3];
  std::snprintf(said, sizeof(said), ":\t0x%016" PRIx64 "\n", evaluate::kPageMagic);
  EXPECT_NE(gdb.answers[4].find(said), std::string::npos) << gdb.answers[4] << said;
  EXPECT_NE(gdb.answers[5].find("main"), std::string::npos) << gdb.answers[5];
}

TEST_F(CoreLostTest, WithOnLostAbortThereIsNone) {
  std::vector<std::string> more = {"--max-bandwidth", "24M", "--stage",   "1M",
                                   "--max-stall",     "60s", "--on-lost", "abort"};
  more.insert(more.end(), {"--exec-paused", "echo unmap > " + target_.fifo()});
  const CommandOutcome outcome = RunCore(target_.pid(), core(), more);
  EXPECT_EQ(outcome.exit_code, kExitLimit) << outcome.err << outcome.out;
  EXPECT_EQ(WrongInError(outcome.json), "") << outcome.out;
  EXPECT_EQ(directory_.List(), std::vector<std::string>());
}

}  // namespace
}  // namespace stillframe::test
