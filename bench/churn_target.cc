#include "churn_target.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/unique_fd.h"
#include "evaluate/status_page.h"
#include "support/machine.h"

namespace stillframe::bench {
namespace {

constexpr char kPart[] = "churn";

int BecomeWorkload(std::vector<std::string> arguments) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const int null = open("/dev/null", O_WRONLY);
  dup2(null, STDOUT_FILENO);
  close(null);
  execv(pointers[0], pointers.data());
  return 127;
}

// Steps of the churn in the status file; none while there is no such count yet. Read and not
// mapped: the target's page stays its own.
uint64_t StepsIn(const std::string& path) {
  using evaluate::StatusRecord;
  using evaluate::StatusSlot;
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<char> bytes(sizeof(StatusRecord));
  if (!file ||
      pread(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return 0;
  }
  uint64_t count = 0;
  std::memcpy(&count, bytes.data() + offsetof(StatusRecord, slot_count), sizeof(count));
  for (size_t i = 0; i < count && i < std::size(StatusRecord{}.slots); ++i) {
    const char* slot = bytes.data() + offsetof(StatusRecord, slots) + i * sizeof(StatusSlot);
    if (std::strncmp(slot, kPart, sizeof(kPart)) != 0) continue;
    uint64_t steps = 0;
    std::memcpy(&steps, slot + offsetof(StatusSlot, steps), sizeof(steps));
    return steps;
  }
  return 0;
}

}  // namespace

ChurnTarget::ChurnTarget(Bytes other_memory, int frees_per_second, int live_blocks)
    : status_("/dev/shm/stillframe-bench-" + std::to_string(getpid()) + ".status") {
  const std::vector<std::string> arguments = {STILLFRAME_WORKLOAD,
                                              "--memory",
                                              std::to_string(other_memory.count),
                                              "--only",
                                              "random,churn",
                                              "--threads",
                                              "1",
                                              "--rate",
                                              "100",
                                              "--churn-rate",
                                              std::to_string(frees_per_second),
                                              "--churn-min",
                                              "64K",
                                              "--churn-max",
                                              "1M",
                                              "--churn-live",
                                              std::to_string(live_blocks),
                                              "--status",
                                              status_};
  child_ = StartChild([&] { return BecomeWorkload(arguments); });
  while (Frees() == 0) {
    if (child_->Ended()) {
      errno = ECHILD;
      Die("starting " STILLFRAME_WORKLOAD);
    }
    usleep(10'000);
  }
}

ChurnTarget::~ChurnTarget() { unlink(status_.c_str()); }

uint64_t ChurnTarget::Frees() const { return StepsIn(status_); }

}  // namespace stillframe::bench
