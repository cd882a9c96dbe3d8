// The same for private mappings of a file: a page may stand in the file only, and change with it.
#include <sys/wait.h>

#include <random>

#include "kernel/precopy_memory.h"

namespace stillframe {
namespace {

class PrecopyFileProofTest : public PrecopyProofTest {
 protected:
  char* MapFile(size_t pages) {
    EXPECT_EQ(ftruncate(file_.get(), static_cast<off_t>(pages * kPage)), 0);
    for (size_t i = 0; i < pages; ++i) WriteFile(i, static_cast<char>('a' + i));
    return Map(pages, 0, 0, file_.get());
  }
  void WriteFile(size_t page, char byte) {
    const std::vector<char> bytes(kPage, byte);
    EXPECT_EQ(pwrite(file_.get(), bytes.data(), kPage, static_cast<off_t>(page * kPage)),
              static_cast<ssize_t>(kPage));
  }
  UniqueFd file_{memfd_create("file", MFD_CLOEXEC)};
};

TEST_F(PrecopyFileProofTest, OnlyPagesOfItsOwnAreBelieved) {
  char* memory = MapFile(8);
  [[maybe_unused]] const char read = *const_cast<volatile char*>(memory + 3 * kPage);
  Fill(memory, 0);
  Fill(memory, 1);
  Round();
  EXPECT_EQ(sink_.writes, 2u);
  EXPECT_EQ(Verdicts(), "==cccccc");
  WriteFile(0, 'x');  // not seen through a page of its own
  WriteFile(3, 'x');
  EXPECT_EQ(Verdicts(), "==cccccc");
  Fill(memory, 1);
  Fill(memory, 3);
  EXPECT_EQ(Verdicts(), "=ccccccc");
  Round();
  EXPECT_EQ(Verdicts(), "==c=cccc");
}

TEST_F(PrecopyFileProofTest, ADiscardedPageShowsTheFileAgain) {
  char* memory = MapFile(4);
  for (size_t i = 0; i < 4; ++i) Fill(memory, i);
  Round();
  EXPECT_EQ(Verdicts(), "====");
  ASSERT_EQ(madvise(memory + kPage, 2 * kPage, MADV_DONTNEED), 0);
  EXPECT_EQ(Verdicts(), "=cc=");
  [[maybe_unused]] const char read = *const_cast<volatile char*>(memory + kPage);
  EXPECT_EQ(Verdicts(), "=cc=");
  Fill(memory, 2);
  EXPECT_EQ(Verdicts(), "=cc=");
  Round();
  EXPECT_EQ(Verdicts(), "=c==");
}

// Whatever comes, in any order.
TEST_F(PrecopyFileProofTest, RandomChangesBetweenRandomRounds) {
  constexpr size_t kPages = 64;
  std::mt19937 random(11);
  char* anonymous = Map(kPages, kPages / 2);
  char* file = MapFile(kPages);
  for (int step = 0; step < 2000; ++step) {
    const size_t first = random() % kPages;
    const size_t pages = 1 + random() % std::min<size_t>(8, kPages - first);
    char* memory = (random() % 2 == 0 ? anonymous : file);
    char* at = memory + first * kPage;
    switch (random() % 12) {
      case 0:
        Round();
        break;
      case 1:
        Verdicts();
        break;
      case 2:
        ASSERT_EQ(madvise(at, pages * kPage, MADV_DONTNEED), 0);
        break;
      case 3:
        WriteFile(first, static_cast<char>(step));
        break;
      case 4: {
        auto* other = static_cast<char*>(mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        Fill(other, 0);
        // Both mappings stay of their kind.
        if (memory == anonymous && step % 10 == 0) {
          ASSERT_EQ(mremap(other, pages * kPage, pages * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, at),
                    at);
        } else {
          munmap(other, pages * kPage);
        }
        break;
      }
      case 5:
        if (step % 7 == 0) {
          ASSERT_EQ(channel_->Register(plan_[0].saved), RegisterOutcome::kDone);
          fresh_ = {plan_[0].saved};
        }
        break;
      case 6:
        if (const pid_t child = fork(); child == 0) {
          memory[0] = 1;
          _exit(0);
        } else {
          waitpid(child, nullptr, 0);
        }
        break;
      default:
        for (size_t i = 0; i < pages; ++i) Fill(at, i);
    }
    ASSERT_FALSE(HasFailure()) << "step " << step;
  }
  Verdicts();
}

}  // namespace
}  // namespace stillframe
