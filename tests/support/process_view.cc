#include "support/process_view.h"

#include <cctype>
#include <filesystem>
#include <sstream>

#include "support/files.h"

namespace stillframe::test {
namespace {

std::string FieldOf(const std::string& status_path, const std::string& field) {
  for (const std::string& line : Lines(ReadFile(status_path))) {
    if (!line.starts_with(field + ":")) continue;
    const size_t begin = line.find_first_not_of(" \t", field.size() + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

std::string ProcPath(pid_t pid) { return "/proc/" + std::to_string(pid); }

}  // namespace

std::string StatusField(pid_t pid, const std::string& field) {
  return FieldOf(ProcPath(pid) + "/status", field);
}

char StateOf(pid_t pid) {
  const std::string state = StatusField(pid, "State");
  return state.empty() ? '?' : state[0];
}

std::map<int, std::string> DescriptorsOf(pid_t pid) {
  std::map<int, std::string> descriptors;
  std::error_code error;
  for (std::filesystem::directory_iterator it(ProcPath(pid) + "/fd", error), end;
       !error && it != end; it.increment(error)) {
    std::error_code gone;
    const auto to = std::filesystem::read_symlink(it->path(), gone);
    if (!gone) descriptors[std::stoi(it->path().filename().string())] = to.string();
  }
  return descriptors;
}

long CallOf(pid_t pid, pid_t thread) {
  std::istringstream text(ReadFile(ProcPath(pid) + "/task/" + std::to_string(thread) + "/syscall"));
  long number = -1;
  return text >> number ? number : -1;
}

std::vector<pid_t> ThreadsOf(pid_t pid) {
  std::vector<pid_t> threads;
  std::error_code error;
  for (std::filesystem::directory_iterator it(ProcPath(pid) + "/task", error), end;
       !error && it != end; it.increment(error)) {
    threads.push_back(std::stoi(it->path().filename().string()));
  }
  return threads;
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  for (const pid_t thread : ThreadsOf(pid)) {
    std::istringstream list(
        ReadFile(ProcPath(pid) + "/task/" + std::to_string(thread) + "/children"));
    for (pid_t child; list >> child;) children.push_back(child);
  }
  return children;
}

std::string TracesLeftOn(pid_t pid, const std::map<int, std::string>& before) {
  for (const pid_t thread : ThreadsOf(pid)) {
    const std::string path = ProcPath(pid) + "/task/" + std::to_string(thread) + "/status";
    const std::string tracer = FieldOf(path, "TracerPid");
    const std::string state = FieldOf(path, "State");
    if (tracer.empty()) continue;  // ended meanwhile
    if (tracer != "0") return "thread " + std::to_string(thread) + " is traced by " + tracer;
    if (!state.empty() && std::tolower(state[0]) == 't') {
      return "thread " + std::to_string(thread) + " is " + state;
    }
  }
  for (const auto& [fd, to] : DescriptorsOf(pid)) {
    const auto known = before.find(fd);
    if (known == before.end() || known->second != to) {
      return "descriptor " + std::to_string(fd) + " is new: " + to;
    }
  }
  return "";
}

}  // namespace stillframe::test
