// The check that tells a consistent cut of a ticket board from an inconsistent one: both are shown.
#include "evaluate/ticket_check.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/uio.h>

#include <cstring>
#include <map>

#include "support/files.h"
#include "support/process_view.h"
#include "support/workload_process.h"

namespace stillframe::test {
namespace {

using evaluate::CheckTickets;
using evaluate::TicketLayout;
using evaluate::TicketReport;

class TicketCheckTest : public testing::Test {
 protected:
  static constexpr size_t kPage = evaluate::kPageBytes;

  TicketCheckTest()
      : workload_(
            {"--memory", "4M", "--only", "tickets", "--threads", "3", "--ticket-pages", "256"}) {}

  // Copies pages [first, last) of the board as they are now.
  void Copy(size_t first, size_t last) {
    const TicketLayout layout = workload_.tickets();
    copy_.resize(layout.pages() * kPage);
    const iovec local{copy_.data() + first * kPage, (last - first) * kPage};
    const iovec remote{reinterpret_cast<void*>(layout.address.value + first * kPage),
                       (last - first) * kPage};
    ASSERT_EQ(process_vm_readv(workload_.pid(), &local, 1, &remote, 1, 0),
              static_cast<ssize_t>(local.iov_len));
  }

  void CopyWhileStopped() {
    workload_.process().Signal(SIGSTOP);
    ASSERT_TRUE(Eventually([&] {
      for (const pid_t thread : ThreadsOf(workload_.pid())) {
        if (StateOf(thread) != 'T') return false;
      }
      return true;
    }));
    Copy(0, workload_.tickets().pages());
    workload_.process().Signal(SIGCONT);
  }

  void LetItDrawTickets() {
    const uint64_t before = workload_.Steps()[0];
    ASSERT_TRUE(Eventually([&] { return workload_.Steps()[0] > before + 2000; }));
  }

  TicketReport Check() {
    const TicketLayout layout = workload_.tickets();
    const auto read = [&](TargetAddress from, std::span<std::byte> to) -> Result<void> {
      std::memcpy(to.data(), copy_.data() + (from - layout.address).count, to.size());
      return {};
    };
    return *CheckTickets(layout, read);
  }

  uint64_t* WordsOfPage(size_t page) {
    return reinterpret_cast<uint64_t*>(copy_.data() + page * kPage);
  }

  WorkloadProcess workload_;
  std::vector<std::byte> copy_;
};

TEST_F(TicketCheckTest, CopyOfAStoppedProcessIsConsistent) {
  for (int round = 0; round < 50; ++round) {
    CopyWhileStopped();
    const TicketReport report = Check();
    EXPECT_EQ(report.problems, std::vector<std::string>());
    EXPECT_LE(report.in_flight + report.unsaid, 3);
    LetItDrawTickets();
  }
}

TEST_F(TicketCheckTest, CounterCopiedBeforeTheSlotsIsFound) {
  LetItDrawTickets();
  Copy(0, workload_.tickets().pages());
  LetItDrawTickets();
  Copy(4, workload_.tickets().pages());
  EXPECT_FALSE(Check().problems.empty());
}

TEST_F(TicketCheckTest, CounterCopiedAfterTheSlotsIsFound) {
  LetItDrawTickets();
  Copy(1, workload_.tickets().pages());
  LetItDrawTickets();
  Copy(0, 1);
  EXPECT_FALSE(Check().problems.empty());
}

TEST_F(TicketCheckTest, OnePageOfAnotherInstantIsFound) {
  LetItDrawTickets();
  CopyWhileStopped();
  const std::vector<std::byte> earlier = copy_;
  LetItDrawTickets();
  CopyWhileStopped();
  const std::vector<std::byte> later = copy_;
  for (size_t page = 0; page < workload_.tickets().pages(); ++page) {
    copy_ = later;
    std::memcpy(WordsOfPage(page), earlier.data() + page * kPage, kPage);
    // Up to as many as there are writers may be in flight, but never one of a whole round ago.
    EXPECT_FALSE(Check().problems.empty()) << "page " << page << " of before";
  }
}

TEST_F(TicketCheckTest, TornPageIsFound) {
  CopyWhileStopped();
  for (size_t slot = 4; slot < 20; ++slot) {
    const std::vector<std::byte> whole = copy_;
    WordsOfPage(slot)[evaluate::kTicketWords - 1] ^= 1;
    EXPECT_FALSE(Check().problems.empty()) << slot;
    copy_ = whole;
  }
}

TEST_F(TicketCheckTest, BoardOfZerosIsFound) {
  CopyWhileStopped();
  std::fill(copy_.begin(), copy_.end(), std::byte{0});
  EXPECT_FALSE(Check().problems.empty());
}

}  // namespace
}  // namespace stillframe::test
