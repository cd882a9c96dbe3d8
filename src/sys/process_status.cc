#include "sys/process_status.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/unique_fd.h"
#include "sys/proc_file.h"

namespace stillframe {
namespace {

std::string_view SkipBlanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

template <class Number>
bool ParseNumber(std::string_view text, Number* number) {
  text = SkipBlanks(text);
  return std::from_chars(text.data(), text.data() + text.size(), *number).ec == std::errc();
}

// The rest of the line that begins with `key`, empty when there is none.
std::string_view FindField(std::string_view text, std::string_view key) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(key)) return line.substr(key.size());
    at = end + 1;
  }
  return {};
}

// Field `number`, counted from 0 and separated by one blank each.
std::string_view NthWord(std::string_view text, int number) {
  for (; number > 0; --number) {
    const size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return {};
    text.remove_prefix(blank + 1);
  }
  return text.substr(0, text.find(' '));
}

}  // namespace

std::optional<ProcessStatus> ParseStatus(std::string_view text) {
  ProcessStatus status;
  const std::string_view state = SkipBlanks(FindField(text, "State:"));
  if (state.empty() || !ParseNumber(FindField(text, "Tgid:"), &status.thread_group) ||
      !ParseNumber(FindField(text, "PPid:"), &status.parent) ||
      !ParseNumber(FindField(text, "TracerPid:"), &status.tracer)) {
    return std::nullopt;
  }
  status.state = state.front();
  // Missing where the kernel has no seccomp.
  ParseNumber(FindField(text, "Seccomp:"), &status.seccomp);
  ParseNumber(FindField(text, "Uid:"), &status.uid);
  ParseNumber(FindField(text, "Gid:"), &status.gid);
  return status;
}

std::optional<ProcessStat> ParseStat(std::string_view text) {
  // The name stands in parentheses and may hold any character, these included: the last one ends
  // it.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= text.size()) return std::nullopt;
  const std::string_view rest = text.substr(name_end + 2);
  // Counted as in proc(5), from 1; `rest` begins with the third.
  const auto field = [rest](int number, auto* to) {
    return ParseNumber(NthWord(rest, number - 3), to);
  };
  ProcessStat stat;
  stat.state = rest.front();
  const bool good = field(4, &stat.parent) && field(5, &stat.group) && field(6, &stat.session) &&
                    field(9, &stat.flags) && field(14, &stat.user_ticks) &&
                    field(15, &stat.system_ticks) && field(16, &stat.children_user_ticks) &&
                    field(17, &stat.children_system_ticks) && field(19, &stat.nice) &&
                    field(22, &stat.start_time);
  if (!good) return std::nullopt;
  return stat;
}

std::optional<ProcessStatus> ReadStatus(int directory, const char* path) {
  std::array<char, 4096> buffer;
  return ParseStatus(ReadSmallFile(directory, path, buffer));
}

std::optional<ProcessStat> ReadStat(int directory, const char* path) {
  std::array<char, 2048> buffer;
  return ParseStat(ReadSmallFile(directory, path, buffer));
}

pid_t FindLiveThread(int directory, pid_t pid) {
  const auto leader = ReadStat(directory, "stat");
  if (leader && !leader->dead()) return pid;
  NumberedEntries threads(directory, "task");
  while (const pid_t tid = threads.Next()) {
    const auto stat = ReadStat(directory, TaskPath(tid, "stat").c_str());
    if (stat && !stat->dead() && !stat->kernel_worker()) return tid;
  }
  return 0;
}

pid_t LiveThreadOf(pid_t pid) {
  const UniqueFd directory(
      open(ProcPath("/proc/", pid, "").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const pid_t found = directory ? FindLiveThread(directory.get(), pid) : 0;
  return found != 0 ? found : pid;
}

}  // namespace stillframe
