#include "support/workload_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "evaluate/status_page.h"
#include "support/binaries.h"
#include "support/files.h"
#include "support/process_view.h"

namespace stillframe::test {
namespace {

using evaluate::StatusRecord;
using evaluate::StatusSlot;

// `user` may write the status file into `directory`.
std::vector<std::string> CommandLine(std::vector<std::string> arguments, const TempDir& directory,
                                     uid_t user) {
  if (user != 0) {
    EXPECT_EQ(chown(directory.path().c_str(), user, user), 0);
  }
  arguments.insert(arguments.begin(), Binary("stillframe-workload"));
  arguments.insert(arguments.end(), {"--status", directory / "status"});
  return arguments;
}

template <class T>
T At(std::string_view bytes, size_t offset) {
  T value{};
  if (offset + sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

}  // namespace

WorkloadProcess::WorkloadProcess(std::vector<std::string> arguments,
                                 const SubprocessOptions& options)
    : process_(CommandLine(std::move(arguments), directory_, options.user), options) {
  if (!process_.WaitForOut("\n", 60)) {
    ADD_FAILURE() << "the workload did not start: " << process_.Err();
    return;
  }
  const std::string line = Lines(process_.Out()).front();
  description_ = nlohmann::json::parse(line.substr(line.find(' ') + 1));
  // Those of a read that is under way may come and go, but the workload opens nothing after it is
  // ready.
  descriptors_ = DescriptorsOf(pid());
}

evaluate::TicketLayout WorkloadProcess::tickets() const {
  const nlohmann::json& tickets = description_.at("tickets");
  evaluate::TicketLayout layout;
  layout.address = {tickets.at("address").get<uint64_t>()};
  layout.writers = tickets.at("writers").get<size_t>();
  layout.slots = tickets.at("slots").get<size_t>();
  return layout;
}

std::vector<uint64_t> WorkloadProcess::Steps() const {
  // Read, not mapped: the target's page stays its own.
  const std::string bytes = ReadFile(directory_ / "status");
  const auto count = At<uint64_t>(bytes, offsetof(StatusRecord, slot_count));
  std::vector<uint64_t> steps;
  for (size_t i = 0; i < count; ++i) {
    const size_t slot = offsetof(StatusRecord, slots) + i * sizeof(StatusSlot);
    steps.push_back(At<uint64_t>(bytes, slot + offsetof(StatusSlot, steps)));
  }
  return steps;
}

std::string WorkloadProcess::WhatIsWrong() {
  const std::vector<uint64_t> before = Steps();
  if (before.empty()) return "it has no status";
  const bool progress = Eventually([&] {
    const std::vector<uint64_t> now = Steps();
    for (size_t i = 0; i < before.size(); ++i) {
      // Two, since the first may have been under way.
      if (now[i] < before[i] + 2) return !process_.IsRunning();
    }
    return true;
  });
  if (!process_.IsRunning()) {
    return "it ended with " + std::to_string(*process_.Wait()) + ": " + process_.Err();
  }
  if (!progress) return "one of its threads makes no progress";
  std::string traces;
  // A helper of the dead command may need a moment to leave.
  Eventually([&] { return (traces = TracesLeftOn(pid(), descriptors_)).empty(); }, 5);
  return traces;
}

int WorkloadProcess::Finish() {
  process_.Signal(SIGTERM);
  const int exit_code = process_.Wait(60).value_or(-1);
  if (exit_code != 0) ADD_FAILURE() << "the workload: " << process_.Err();
  return exit_code;
}

}  // namespace stillframe::test
