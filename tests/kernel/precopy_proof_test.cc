// Whatever is done to anonymous memory between the steps of rounds, a copy that is believed equals
// the memory.
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <random>

#include "kernel/ksm.h"
#include "kernel/precopy_memory.h"
#include "save/armed_memory.h"
#include "stillframe/save.h"
#include "stillframe/target.h"

namespace stillframe {
namespace {

// What our page tables take, in KiB.
uint64_t PageTables() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmPTE:")) return std::stoull(line.substr(6));
  }
  return 0;
}

TEST_F(PrecopyProofTest, OnlyWhatWasWrittenIsInDoubt) {
  char* memory = Map(12, 8);
  EXPECT_EQ(Verdicts(), "cccccccc0000");
  Round();
  EXPECT_EQ(Verdicts(), "========0000");
  Fill(memory, 2);
  Fill(memory, 10);
  EXPECT_EQ(Verdicts(), "==c=====00c0");
  Round();
  EXPECT_EQ(Verdicts(), "========00=0");
  EXPECT_EQ(sink_.writes, 8u + 2);
}

// What a device writes leaves no trace, and is over with the call that it is done for.
TEST_F(PrecopyProofTest, NothingIsCopiedBeforeTheRunningCallsAreOver) {
  char* memory = Map(600, 600);
  int waits = 0;
  between_ = [&] {
    ++waits;
    EXPECT_EQ(sink_.writes, 0u);
    EXPECT_EQ(Verdicts().find('='), std::string::npos);
    Fill(memory, 0);
    Fill(memory, 599);
  };
  Round();
  EXPECT_EQ(waits, 1);
  EXPECT_TRUE(sink_.Holds(Of(memory), memory));
  EXPECT_TRUE(sink_.Holds(Of(memory) + Bytes{599 * kPage}, memory + 599 * kPage));
  EXPECT_EQ(Verdicts(), "c" + std::string(598, '=') + "c");
}

TEST_F(PrecopyProofTest, AWriteOfTheKernelCountsAsAWrite) {
  char* memory = Map(4, 4);
  Round();
  const UniqueFd zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(read(zero.get(), memory + kPage, 100), 100);
  EXPECT_EQ(Verdicts(), "=c==");
}

TEST_F(PrecopyProofTest, ADiscardedPageIsAHoleAndOneThatCameAgainIsCopied) {
  char* memory = Map(6, 6);
  Round();
  ASSERT_EQ(madvise(memory + kPage, 3 * kPage, MADV_DONTNEED), 0);
  EXPECT_EQ(Verdicts(), "=000==");
  Fill(memory, 2);
  [[maybe_unused]] const char read = *const_cast<volatile char*>(memory + 3 * kPage);
  EXPECT_EQ(Verdicts(), "=0c0==");
  Round();
  EXPECT_EQ(Verdicts(), "=0=0==");
}

TEST_F(PrecopyProofTest, PagesMovedToThePlaceOfCopiedOnesAreCopied) {
  char* memory = Map(8, 8);
  char* others = Map(4, 4);
  Round();
  ASSERT_EQ(mremap(others, 4 * kPage, 4 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, memory + 2 * kPage),
            memory + 2 * kPage);
  plan_.pop_back();
  EXPECT_EQ(Verdicts(), "==cccc==");
  // Not registered, so a round passes it over, and nothing that it says is believed.
  Round();
  EXPECT_EQ(Verdicts(), "==cccc==");
  // Registered again, marks that came along mean nothing.
  ASSERT_EQ(channel_->Register(plan_[0].saved), RegisterOutcome::kDone);
  fresh_ = {plan_[0].saved};
  Round();
  EXPECT_EQ(Verdicts(), "========");
  Fill(memory, 3);
  EXPECT_EQ(Verdicts(), "===c====");
}

// On kernels where pages keep their marks when they move, nothing but this tells.
TEST_F(PrecopyProofTest, WhatIsMappedWhereMemoryWasRegisteredCountsAsFresh) {
  char* memory = Map(8, 8);
  char* others = Map(4, 4);
  Round();
  auto target = OpenOwnProcess({plan_[0].saved}, {});
  ASSERT_TRUE(target) << target.error().message;
  ArmedMemory armed(**target, *channel_);
  EXPECT_EQ(*armed.RegisterUnwatched(&plan_, watch_), std::vector<AddressRange>());
  ASSERT_EQ(munmap(memory, 8 * kPage), 0);
  ASSERT_EQ(mremap(others, 4 * kPage, 4 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, memory + 4 * kPage),
            memory + 4 * kPage);
  plan_.pop_back();
  plan_[0].mapping.range.begin = plan_[0].saved.begin = Of(memory + 4 * kPage);
  EXPECT_EQ(*armed.RegisterUnwatched(&plan_, watch_), std::vector{plan_[0].saved});
  EXPECT_EQ(*armed.RegisterUnwatched(&plan_, watch_), std::vector<AddressRange>());
  // The very same place, and it was registered there by now.
  ASSERT_EQ(mmap(memory + 4 * kPage, 4 * kPage, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
            memory + 4 * kPage);
  EXPECT_EQ(*armed.RegisterUnwatched(&plan_, watch_), std::vector{plan_[0].saved});
  EXPECT_EQ(*armed.RegisterUnwatched(&plan_, watch_), std::vector<AddressRange>());
}

TEST_F(PrecopyProofTest, PagesThatAreNotWatchedAreToldOfAsSuch) {
  char* memory = Map(8, 8);
  Round();
  Fill(memory, 0);
  ASSERT_EQ(mmap(memory + 2 * kPage, 4 * kPage, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
            memory + 2 * kPage);
  Fill(memory, 3);
  Fill(memory, 4);
  std::vector<AddressRange> unwatched;
  ASSERT_TRUE(
      proof_.FindDoubts(plan_[0], MiB(1),
                        {.copy = [](AddressRange) {},
                         .zero = [](AddressRange) {},
                         .unwatched = [&](AddressRange range) { unwatched.push_back(range); }}));
  EXPECT_EQ(unwatched,
            (std::vector<AddressRange>{{Of(memory) + kPageSize * 3, Of(memory) + kPageSize * 5}}));
}

TEST_F(PrecopyProofTest, ANewMappingInThePlaceOfACopiedOneIsCopied) {
  char* memory = Map(8, 8);
  Round();
  ASSERT_EQ(mmap(memory + kPage, 3 * kPage, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
            memory + kPage);
  EXPECT_EQ(Verdicts(), "=000====");
  Fill(memory, 2);
  EXPECT_EQ(Verdicts(), "=0c0====");
}

TEST_F(PrecopyProofTest, ThePlaceThatAMappingLeftIsEmpty) {
  char* memory = Map(4, 4);
  Round();
  void* moved = mremap(memory, 4 * kPage, 4 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, nullptr);
  ASSERT_NE(moved, MAP_FAILED);
  EXPECT_EQ(Verdicts(), "0000");
  munmap(moved, 4 * kPage);
}

TEST_F(PrecopyProofTest, AChildThatWritesItsCopyChangesNothingOfOurs) {
  char* memory = Map(4, 4);
  Round();
  const pid_t child = fork();
  if (child == 0) {
    memory[0] = 99;
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(Verdicts(), "====");
  Fill(memory, 1);  // shared with the child until now
  EXPECT_EQ(Verdicts(), "=c==");
}

TEST_F(PrecopyProofTest, AReadOnlyMappingHoldsAndOneThatCantBeReadStaysInDoubt) {
  char* memory = Map(4, 4);
  ASSERT_EQ(mprotect(memory, 2 * kPage, PROT_READ), 0);
  Round();
  EXPECT_EQ(Verdicts(), "====");
  Fill(memory, 3);
  ASSERT_EQ(mprotect(memory + 2 * kPage, 2 * kPage, PROT_NONE), 0);
  Round();
  ASSERT_EQ(mprotect(memory, 4 * kPage, PROT_READ | PROT_WRITE), 0);
  EXPECT_EQ(Verdicts(), "===c");
}

TEST_F(PrecopyProofTest, MoreRunsThanOneScanBrings) {
  constexpr size_t kPages = 5000;
  char* memory = Map(kPages, kPages);
  Round();
  std::string expected(kPages, '=');
  for (size_t i = 0; i < kPages; i += 3) {
    Fill(memory, i);
    expected[i] = 'c';
  }
  EXPECT_EQ(Verdicts(), expected);
  Round();
  EXPECT_EQ(Verdicts(), std::string(kPages, '='));
  EXPECT_EQ(sink_.writes, kPages + (kPages + 2) / 3);
}

// Of what a scan arms, it must have told: nothing else would ever be copied again.
TEST_F(PrecopyProofTest, NothingIsArmedThatAScanDoesNotTell) {
  constexpr size_t kPages = 3 * PageWatch::kMostAtOnce.count / kPage + 77;
  std::mt19937 random(5);
  char* memory = Map(kPages, kPages / 3);
  for (const unsigned one_in : {1u, 2u, 3u, 7u, 50u, 2u, 1u, 300u}) {
    for (size_t i = 0; i < kPages; ++i) {
      if (random() % one_in == 0) Fill(memory, i);
    }
    Round();
    EXPECT_EQ(Verdicts().find('c'), std::string::npos);
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(PrecopyProofTest, HugePagesStayUntilTheyAreWritten) {
  constexpr size_t kHuge = MiB(2).count;
  char* memory = Map(3 * kHuge / kPage, 0);
  char* aligned =
      reinterpret_cast<char*>((reinterpret_cast<uint64_t>(memory) + kHuge - 1) & ~(kHuge - 1));
  if (madvise(aligned, 2 * kHuge, MADV_HUGEPAGE) != 0) GTEST_SKIP() << "no huge pages";
  aligned[0] = aligned[kHuge] = 7;
  Round();
  EXPECT_EQ(Verdicts().find('c'), std::string::npos);
  aligned[5] = 8;
  std::string verdicts = Verdicts();
  const auto first = static_cast<size_t>(aligned - memory) / kPage;
  EXPECT_EQ(verdicts[first], 'c');
  EXPECT_EQ(verdicts.find('c', first + kHuge / kPage), std::string::npos);
  Round();
  EXPECT_EQ(Verdicts().find('c'), std::string::npos);
}

TEST_F(PrecopyProofTest, AHugeReservedRangeGetsNoPageTables) {
  constexpr uint64_t kSize = GiB(64).count;
  char* memory = Map(kSize / kPage, 0, MAP_NORESERVE);
  for (uint64_t at = 0; at < kSize; at += GiB(1).count) memory[at] = 1;
  const uint64_t before = PageTables();
  Round();
  // Marks at all holes would take 128 MiB. Our own heap grows too.
  EXPECT_LE(PageTables(), before + 64);
  EXPECT_EQ(sink_.writes, 64u);
  memory[GiB(3).count] = 2;
  memory[GiB(5).count + kPage] = 2;
  uint64_t zero = 0;
  std::vector<TargetAddress> copy;
  ASSERT_TRUE(proof_.FindDoubts(plan_.back(), {UINT64_MAX},
                                {.copy = [&](AddressRange r) { copy.push_back(r.begin); },
                                 .zero = [&](AddressRange r) { zero += r.pages().count; }}));
  EXPECT_EQ(copy, (std::vector{Of(memory) + GiB(3), Of(memory) + GiB(5) + kPageSize}));
  EXPECT_EQ(zero, kSize / kPage - 64 - 1);
  EXPECT_LE(PageTables(), before + 64);
}

TEST_F(PrecopyProofTest, MergedPagesAreNoDanger) {
  if (!KsmOn::IsThere()) GTEST_SKIP() << "this kernel has no KSM";
  char* memory = Map(64, 0);
  std::memset(memory, 5, 64 * kPage);
  Round();
  ASSERT_EQ(madvise(memory, 64 * kPage, MADV_MERGEABLE), 0);
  const KsmOn ksm;
  for (int i = 0; i < 1000 && Verdicts() == std::string(64, '='); ++i) usleep(10'000);
  EXPECT_NE(Verdicts(), std::string(64, '='));  // the mark is gone: they are copied once more
  Round();
  Fill(memory, 7);  // breaks it
  EXPECT_EQ(Verdicts()[7], 'c');
}

// As on a kernel that doesn't know the mode: the descriptor has agreed on another one.
TEST_F(PrecopyProofTest, WithoutTheKernelsOwnOpeningItIsRefused) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  auto target = AttachProcess(child);
  ASSERT_TRUE(target) << target.error().message;
  ASSERT_TRUE(FaultChannel::Connect((*target)->userfaultfd()));
  auto session =
      SaveSession::Create(*std::move(target), std::make_unique<LastSink>(), {.via = Via::kPrecopy});
  ASSERT_TRUE(session) << session.error().message;
  const auto saved = (*session)->Run();
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::kUnsupported) << saved.error().message;
  EXPECT_NE(saved.error().hint.find("--via wp"), std::string::npos);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST_F(PrecopyProofTest, ASinkThatTakesEachPageOnceIsRefused) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  auto target = AttachProcess(child);
  ASSERT_TRUE(target) << target.error().message;
  auto session =
      SaveSession::Create(*std::move(target), std::make_unique<LastSink>(), {.via = Via::kPrecopy});
  ASSERT_TRUE(session) << session.error().message;
  const auto saved = (*session)->Run();
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::kUnsupported) << saved.error().message;
  EXPECT_NE(saved.error().message.find("once"), std::string::npos) << saved.error().message;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace stillframe
