#include "target/fork_limits.h"

#include <fcntl.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "sys/proc_file.h"

namespace stillframe {
namespace {

std::string ReadText(int directory, const std::string& path) {
  return ReadFileAt(directory, path.c_str(), path).value_or("");
}

std::optional<uint64_t> ToNumber(std::string_view text) {
  uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc()) return std::nullopt;
  return number;
}

// Calls `visit` with each line.
template <class Visit>
void ForEachLine(std::string_view text, const Visit& visit) {
  while (!text.empty()) {
    const size_t length = text.find('\n');
    visit(text.substr(0, length));
    text.remove_prefix(length == std::string_view::npos ? text.size() : length + 1);
  }
}

// The paths of the cgroups that count the process's processes, below a mount point: version 2 has
// one hierarchy, version 1 one for the controller.
std::vector<std::string> PidsCgroups(int process) {
  std::vector<std::string> found;
  ForEachLine(ReadText(process, "cgroup"), [&](std::string_view line) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) return;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string path(line.substr(second + 1));
    if (controllers == "pids") found.push_back("/sys/fs/cgroup/pids" + path);
    if (!controllers.empty()) return;
    found.push_back("/sys/fs/cgroup" + path);
    found.push_back("/sys/fs/cgroup/unified" + path);
  });
  return found;
}

// From a cgroup up to the mount point, the first that is full.
std::optional<ForkLimit> FindFullCgroup(std::string path) {
  constexpr std::string_view kMountPoint = "/sys/fs/cgroup";
  while (path.size() > kMountPoint.size()) {
    const auto most = ToNumber(ReadText(AT_FDCWD, path + "/pids.max"));
    const auto now = ToNumber(ReadText(AT_FDCWD, path + "/pids.current"));
    if (most && now && *now >= *most) {
      return ForkLimit{.what = "its cgroup " + path + " has reached its pids.max, " +
                               std::to_string(*most) + " processes and threads",
                       .hint = "raise pids.max there by one"};
    }
    path.erase(path.rfind('/'));
  }
  return std::nullopt;
}

// The soft limit; empty when there is none.
std::optional<uint64_t> ProcessCountLimit(int process) {
  constexpr std::string_view kName = "Max processes";
  std::optional<uint64_t> limit;
  ForEachLine(ReadText(process, "limits"), [&](std::string_view line) {
    if (!line.starts_with(kName)) return;
    line.remove_prefix(kName.size());
    const size_t begin = line.find_first_not_of(' ');
    if (begin != std::string_view::npos) limit = ToNumber(line.substr(begin));
  });
  return limit;
}

}  // namespace

ForkLimit FindProcessLimit(int process) {
  for (const std::string& path : PidsCgroups(process)) {
    if (auto full = FindFullCgroup(path)) return *std::move(full);
  }
  if (const auto limit = ProcessCountLimit(process)) {
    return {.what = "its user may have no more processes (RLIMIT_NPROC is " +
                    std::to_string(*limit) + ")",
            .hint = "raise its limit: prlimit --nproc=N --pid PID"};
  }
  return {.what =
              "the system has no room for another process (kernel.threads-max, "
              "kernel.pid_max)",
          .hint = "raise those, or end some processes"};
}

ForkLimit FindMemoryLimit() {
  if (ToNumber(ReadText(AT_FDCWD, "/proc/sys/vm/overcommit_memory")) == 2) {
    return {.what =
                "the system promises no more memory than it has (vm.overcommit_memory is 2), "
                "and a copy of this process could need too much",
            .hint = "set vm.overcommit_memory to 0 for the time of the save, or use the way wp"};
  }
  return {
      .what =
          "there is not enough memory for a copy of its page tables, or one of its mappings is "
          "larger than memory and swap together (vm.overcommit_memory is not 1)",
      .hint =
          "free some memory, set vm.overcommit_memory to 1 for the time of the save, or use the "
          "way wp"};
}

}  // namespace stillframe
