// The second oracle needs no pause: tickets in the image tell whether it is one instant.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "evaluate/ticket_check.h"
#include "image_check.h"
#include "support/requirements.h"
#include "support/stillframe_command.h"
#include "support/temp_dir.h"
#include "support/workload_process.h"

namespace stillframe::test {
namespace {

int Rounds() {
  const char* rounds = std::getenv("STILLFRAME_TICKET_ROUNDS");
  return rounds != nullptr ? std::atoi(rounds) : 200;
}

TEST(TicketSaveTest, EachOfManySavesIsOneInstant) {
  STILLFRAME_REQUIRE(MissingRoot());
  STILLFRAME_REQUIRE(MissingUserfaultfd());
  TempDir directory;
  WorkloadProcess workload(
      {"--memory", "4M", "--only", "tickets", "--threads", "3", "--ticket-pages", "1024"});
  const evaluate::TicketLayout layout = workload.tickets();
  std::mt19937 random(1);
  uint64_t last_drawn = 0;
  uint64_t faulted = 0;
  for (int round = 0; round < Rounds(); ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
    const std::string path = directory / "image";
    // An early instant and a late one in turn.
    const CommandOutcome save =
        RunSave(workload.pid(), path, {"--instant", round % 2 == 0 ? "now" : "late"});
    ASSERT_EQ(save.exit_code, kExitDone) << "round " << round << ": " << save.err;
    faulted += save.json["pages"]["faulted"].get<uint64_t>();
    const auto image = OpenImage(path);
    ASSERT_NE(image, nullptr);
    const auto report = evaluate::CheckTickets(
        layout, [&](TargetAddress from, std::span<std::byte> to) { return image->Read(from, to); });
    ASSERT_TRUE(report) << report.error().message;
    ASSERT_EQ(report->problems, std::vector<std::string>()) << "round " << round;
    EXPECT_GT(report->drawn, last_drawn);
    last_drawn = report->drawn;
    ASSERT_EQ(unlink(path.c_str()), 0);
  }
  // Else the writers would not have been at it, and the test had shown little.
  EXPECT_GT(faulted, 0);
  EXPECT_EQ(workload.WhatIsWrong(), "");
  EXPECT_EQ(workload.Finish(), 0);
}

}  // namespace
}  // namespace stillframe::test
