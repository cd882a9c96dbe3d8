// What a sink is told of the memory to come, when, and in which order the pages then come.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "attach_child.h"
#include "base/mapped_memory.h"
#include "stillframe/save.h"
#include "stillframe/target.h"

namespace stillframe::test {
namespace {

constexpr size_t kPage = kPageSize.count;
constexpr size_t kPart = 16 * kPage;

// All that a sink was told.
struct Told {
  std::vector<std::string> events;  // "so far", "settled", "instant", "pages", "finish"; no repeats
  std::vector<AddressRange> pages;  // in the order they came
  ImageMetadata settled;
  ImageMetadata finished;
  std::string state_at_settled;  // of the target

  void Note(const std::string& event) {
    if (events.empty() || events.back() != event) events.push_back(event);
  }
  size_t Count(const std::string& event) const {
    return static_cast<size_t>(std::ranges::count(events, event));
  }
  // Whether the first one comes before any of the second.
  bool IsBefore(const std::string& first, const std::string& second) const {
    const auto found = std::ranges::find(events, first);
    return found != events.end() && found < std::ranges::find(events, second);
  }
};

struct Kind {
  bool needs_order = false;
  bool repeats = false;
};

class ToldSink final : public PageSink {
 public:
  ToldSink(Kind kind, const Child* target, Told* told)
      : kind_(kind), target_(target), told_(told) {}

  Result<void> Write(TargetAddress address, std::span<const std::byte> pages, PageSource) override {
    return Take({address, address + Bytes{pages.size()}});
  }
  Result<void> Zero(AddressRange range) override { return Take(range); }
  Result<void> Lost(AddressRange range, std::string_view) override { return Take(range); }
  Result<void> Expect(const ImageMetadata& metadata, Expectation expectation) override {
    if (expectation == Expectation::kSoFar) {
      EXPECT_FALSE(metadata.mappings.empty());
      told_->Note("so far");
      return {};
    }
    told_->Note("settled");
    told_->settled = metadata;
    if (target_ != nullptr) told_->state_at_settled = target_->State();
    return {};
  }
  Result<void> Finish(const ImageMetadata& metadata) override {
    told_->Note("finish");
    told_->finished = metadata;
    return {};
  }
  void Interrupt() override {}
  Result<void> AllowRepeats() override {
    return kind_.repeats ? Result<void>() : PageSink::AllowRepeats();
  }
  bool needs_order() const override { return kind_.needs_order; }
  SinkCounters counters() const override { return {}; }

 private:
  Result<void> Take(AddressRange range) {
    told_->Note("pages");
    told_->pages.push_back(range);
    return {};
  }

  const Kind kind_;
  const Child* const target_;
  Told* const told_;
};

char* MapAt(char* address, size_t size, int flags) {
  void* at = mmap(address, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0);
  return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
}

// Parts of all kinds side by side, each with pages and holes: private, shared, and private memory
// that a fork leaves out. And one written again and again.
void MixKinds(Board& board) {
  constexpr size_t kParts = 9;
  auto* at = static_cast<char*>(mmap(nullptr, (kParts + 1) * kPart, PROT_NONE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (at == MAP_FAILED) board.failures = 1;
  for (size_t i = 0; i < kParts; ++i) {
    const int sharing = i % 3 == 1 ? MAP_SHARED : MAP_PRIVATE;
    char* part = MapAt(at + i * kPart, kPart, sharing | MAP_ANONYMOUS);
    if (part == nullptr) board.failures = 1;
    if (i % 3 == 2 && madvise(part, kPart, MADV_DONTFORK) != 0) board.failures = 1;
    for (const size_t page : {1u, 2u, 7u, 14u}) part[page * kPage] = static_cast<char>('a' + i);
  }
  board.value[0] = static_cast<int64_t>(reinterpret_cast<uint64_t>(at));
  board.ready = 1;
  while (board.stop == 0) {
    at[kPage] = static_cast<char>(at[kPage] + 1);
    ++board.progress;
  }
}

Result<SaveSummary> Save(const Child& child, Kind kind, SaveOptions options, Told* told) {
  options.at_instant = [told](pid_t) {
    told->Note("instant");
    return Result<void>();
  };
  STILLFRAME_ASSIGN(std::unique_ptr<Target> target,
                    AttachProcess(child.pid(), AttachOptionsFor(options.via)));
  STILLFRAME_ASSIGN(
      auto session,
      SaveSession::Create(std::move(target), std::make_unique<ToldSink>(kind, &child, told),
                          std::move(options)));
  return session->Run();
}

bool IsRisingAndDisjoint(const std::vector<AddressRange>& ranges) {
  return std::ranges::adjacent_find(ranges, [](AddressRange a, AddressRange b) {
           return b.begin < a.end;
         }) == ranges.end();
}

// Those that touch put together. `rising`: by address.
std::vector<AddressRange> Merged(const std::vector<AddressRange>& rising) {
  std::vector<AddressRange> merged;
  for (const AddressRange range : rising) {
    if (range.empty()) continue;
    if (!merged.empty() && merged.back().end == range.begin) {
      merged.back().end = range.end;
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

std::vector<AddressRange> SavedIn(const ImageMetadata& metadata) {
  std::vector<AddressRange> saved;
  for (const SavedMapping& mapping : metadata.mappings) saved.push_back(mapping.saved);
  return saved;
}

void ExpectSettledRightly(const Told& told) {
  EXPECT_EQ(told.Count("settled"), 1u);
  EXPECT_EQ(told.Count("finish"), 1u);
  EXPECT_EQ(told.settled.mappings, told.finished.mappings);
  EXPECT_EQ(told.settled.process, told.finished.process);
  EXPECT_FALSE(told.settled.process.threads.empty());
}

class SaveExpectTest : public testing::TestWithParam<Via> {
 protected:
  void SetUp() override {
    if (!CanAttach()) GTEST_SKIP();
    child_ = std::make_unique<Child>(MixKinds);
    child_->AwaitReady();
    ASSERT_EQ(child_->board().failures, 0u);
  }

  std::unique_ptr<Child> child_;
  Told told_;
};

class SaveInOrderTest : public SaveExpectTest {};

TEST_P(SaveInOrderTest, EachPageComesOnceByRisingAddress) {
  const auto saved = Save(*child_, {.needs_order = true}, {.via = GetParam()}, &told_);
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(told_.events, (std::vector<std::string>{"instant", "settled", "pages", "finish"}));
  ExpectSettledRightly(told_);
  EXPECT_TRUE(IsRisingAndDisjoint(told_.pages));
  EXPECT_EQ(Merged(told_.pages), Merged(SavedIn(told_.settled)));
  // All kinds were there: their parts begin where they should.
  const TargetAddress first{static_cast<uint64_t>(child_->board().value[0])};
  for (uint64_t part = 0; part < 9; ++part) {
    const TargetAddress second_page = first + Bytes{part * kPart + kPage};
    EXPECT_TRUE(std::ranges::any_of(told_.pages,
                                    [&](AddressRange range) { return range.begin == second_page; }))
        << "part " << part;
  }
  EXPECT_TRUE(child_->Progresses());
}

INSTANTIATE_TEST_SUITE_P(Ways, SaveInOrderTest, testing::Values(Via::kFork, Via::kStop),
                         [](const auto& way) { return std::string(ViaName(way.param)); });

using SaveOutOfOrderTest = SaveExpectTest;

TEST_P(SaveOutOfOrderTest, IsRefusedByASinkThatNeedsOrder) {
  const auto saved =
      Save(*child_, {.needs_order = true, .repeats = true}, {.via = GetParam()}, &told_);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::kUsage);
  EXPECT_NE(saved.error().hint.find("--via fork or stop"), std::string::npos);
  EXPECT_TRUE(told_.events.empty());
}

TEST_P(SaveOutOfOrderTest, IsToldOfBeforeTheFirstPageOfTheInstant) {
  const auto saved = Save(*child_, {.repeats = true}, {.via = GetParam()}, &told_);
  if (!saved && saved.error().code == ErrorCode::kUnsupported) GTEST_SKIP() << "*** SKIPPED ***";
  ASSERT_TRUE(saved) << saved.error().message;
  ExpectSettledRightly(told_);
  EXPECT_TRUE(told_.IsBefore("instant", "settled"));
  EXPECT_NE(told_.state_at_settled, "t") << "the pause does not wait for the sink";
  const bool early = told_.IsBefore("pages", "instant");
  // Under write protection where there was much to copy of private mappings of files only: what
  // the compiler put there may be that much.
  EXPECT_EQ(early, saved->rounds.count > 0);
  EXPECT_TRUE(early || GetParam() == Via::kWriteProtect);
  EXPECT_EQ(told_.IsBefore("so far", "pages"), early);
  // Between the instant and what settles it there is nothing.
  const auto instant = std::ranges::find(told_.events, "instant");
  ASSERT_NE(instant, told_.events.end());
  EXPECT_EQ(*(instant + 1), "settled");
}

INSTANTIATE_TEST_SUITE_P(Ways, SaveOutOfOrderTest,
                         testing::Values(Via::kWriteProtect, Via::kPrecopy),
                         [](const auto& way) { return std::string(ViaName(way.param)); });

class SaveExpectPlainTest : public SaveExpectTest {};

TEST_F(SaveExpectPlainTest, ALateInstantTellsSoFarBeforeItsFirstPage) {
  const auto saved = Save(*child_, {.repeats = true}, {.instant = Instant::kLate}, &told_);
  ASSERT_TRUE(saved) << saved.error().message;
  ExpectSettledRightly(told_);
  EXPECT_TRUE(told_.IsBefore("so far", "pages"));
  EXPECT_TRUE(told_.IsBefore("pages", "instant"));
  EXPECT_TRUE(told_.IsBefore("instant", "settled"));
}

TEST_F(SaveExpectPlainTest, AStoppedTargetStandsStillWhileThingsAreSettled) {
  const auto saved = Save(*child_, {}, {.via = Via::kStop}, &told_);
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(told_.state_at_settled, "t");
}

TEST_F(SaveExpectPlainTest, NothingIsSettledWhereTheInstantFails) {
  SaveOptions options{.via = Via::kFork,
                      .pause_limit = std::chrono::microseconds(10),
                      .over_pause_limit = OverPauseLimit::kAbort};
  ASSERT_FALSE(Save(*child_, {}, options, &told_));
  EXPECT_EQ(told_.Count("settled"), 0u);
  EXPECT_EQ(told_.Count("pages"), 0u);
}

// Of one's own process everything is known before, and the sink is the output's thread's after it.
TEST(SaveExpectOwnTest, IsSettledBeforeItsInstant) {
  Told told;
  told.events.reserve(16);  // nothing may be allocated at the instant
  MappedMemory memory(MiB(1));
  memory.Populate();
  const auto begin = reinterpret_cast<uint64_t>(memory.data());
  auto target =
      OpenOwnProcess({{{begin}, {begin + memory.size().count}}}, ParkAllThreads(SIGRTMIN + 3));
  ASSERT_TRUE(target) << target.error().message;
  auto session =
      SaveSession::Create(*std::move(target), std::make_unique<ToldSink>(Kind{}, nullptr, &told),
                          {.at_instant = [&told](pid_t) {
                            told.Note("instant");
                            return Result<void>();
                          }});
  ASSERT_TRUE(session) << session.error().message;
  const auto saved = (*session)->Run();
  if (!saved && saved.error().code == ErrorCode::kPermission) GTEST_SKIP() << "*** SKIPPED ***";
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(told.events, (std::vector<std::string>{"settled", "instant", "pages", "finish"}));
  ExpectSettledRightly(told);
}

}  // namespace
}  // namespace stillframe::test
