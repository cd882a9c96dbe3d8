#include "attach_fork_child.h"

#include <dirent.h>
#include <unistd.h>

#include <sstream>

namespace stillframe::test {
namespace {

bool Note(const Result<void>& result, Forked* forked) {
  if (result) return true;
  forked->error = result.error().message;
  forked->code = result.error().code;
  return false;
}

}  // namespace

Forked ForkTarget(pid_t pid, bool stay_paused) {
  Forked forked;
  auto target = AttachProcess(pid, {.userfaultfd = false});
  if (!target) {
    Note(tl::unexpected(target.error()), &forked);
    return forked;
  }
  forked.target = *std::move(target);
  const PauseOptions options{.stop_timeout = std::chrono::seconds(2), .for_fork = true};
  if (!Note(forked.target->Pause(options), &forked)) return forked;
  auto frozen = forked.target->Fork();
  if (frozen) {
    forked.frozen = *std::move(frozen);
  } else {
    Note(tl::unexpected(frozen.error()), &forked);
  }
  if (!stay_paused) Note(forked.target->Resume(), &forked);
  return forked;
}

std::string ForkAndDrop(pid_t pid, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    const Forked forked = ForkTarget(pid);
    if (!forked.error.empty()) return forked.error;
  }
  return {};
}

std::string ChildrenOf(pid_t pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  std::string children;
  DIR* directory = opendir(tasks.c_str());
  if (directory == nullptr) return {};
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') children += ReadAll(tasks + "/" + entry->d_name + "/children");
  }
  closedir(directory);
  return children;
}

pid_t FindHelper() {
  std::istringstream text(ReadAll("/proc/self/task/" + std::to_string(getpid()) + "/children"));
  for (pid_t pid = 0; text >> pid;) {
    if (ReadAll("/proc/" + std::to_string(pid) + "/comm") == "stillframe-inje\n") return pid;
  }
  return 0;
}

}  // namespace stillframe::test
