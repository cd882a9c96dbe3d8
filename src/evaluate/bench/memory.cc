#include "evaluate/bench/memory.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "sys/proc_file.h"

namespace stillframe::evaluate {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kBetweenLooks = std::chrono::milliseconds(20);
// A walk over 2 GiB of page tables takes some tens of milliseconds.
constexpr Duration kBetweenWalks = std::chrono::milliseconds(200);
constexpr int kNice = 10;

// The sum of fields of a text of lines "NAME:   NUMBER kB"; what is not there counts as nothing.
Bytes SumOf(std::string_view text, std::initializer_list<std::string_view> names) {
  Bytes sum{0};
  for (const std::string_view name : names) {
    const std::string start = std::string("\n") + std::string(name) + ":";
    size_t at = text.find(start);
    if (at == std::string_view::npos) continue;
    at = text.find_first_not_of(" \t", at + start.size());
    if (at == std::string_view::npos) continue;
    uint64_t kib = 0;
    std::from_chars(text.data() + at, text.data() + text.size(), kib);
    sum += KiB(kib);
  }
  return sum;
}

std::string Directory(pid_t pid) { return "/proc/" + std::to_string(pid) + "/"; }

std::string_view ReadProc(const std::string& path, std::span<char> to) {
  return ReadSmallFile(AT_FDCWD, path.c_str(), to);
}

// Counters that the kernel keeps anyhow: cheap.
Bytes PrivateMemory(pid_t pid) {
  std::array<char, 4096> buffer;
  return SumOf(ReadProc(Directory(pid) + "status", buffer), {"RssAnon", "VmPTE"});
}

// Needs a walk over the page tables, which only the process itself would wait for.
Bytes UnsharedMemory(pid_t pid) {
  std::array<char, 4096> buffer;
  const Bytes tables = SumOf(ReadProc(Directory(pid) + "status", buffer), {"VmPTE"});
  return tables + SumOf(ReadProc(Directory(pid) + "smaps_rollup", buffer),
                        {"Private_Clean", "Private_Dirty"});
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  NumberedEntries tasks(AT_FDCWD, (Directory(pid) + "task").c_str());
  while (const pid_t task = tasks.Next()) {
    std::array<char, 4096> buffer;
    std::string_view text =
        ReadProc(Directory(pid) + "task/" + std::to_string(task) + "/children", buffer);
    while (!text.empty()) {
      pid_t child = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), child);
      if (error == std::errc()) children.push_back(child);
      text.remove_prefix(std::min(text.size(), static_cast<size_t>(end - text.data()) + 1));
    }
  }
  return children;
}

Bytes GrowthOf(Bytes now, Bytes before) { return now > before ? now - before : Bytes{0}; }

Bytes OwnMemoryTrimmed() {
  // What was freed by the save before is not to hide what this one takes.
  malloc_trim(0);
  return PrivateMemory(getpid());
}

}  // namespace

MemoryWatch::MemoryWatch(pid_t target)
    : target_(target),
      own_before_(OwnMemoryTrimmed()),
      target_before_(PrivateMemory(target)),
      next_walk_(Clock::now()),
      thread_([this] { Run(); }) {}

void MemoryWatch::Run() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    Look();
    lock.lock();
    wake_.wait_for(lock, kBetweenLooks, [this] { return stop_; });
  }
}

void MemoryWatch::Look() {
  const std::vector<pid_t> children = ChildrenOf(target_);
  if (children.empty()) copied_ = Bytes{0};
  if (!children.empty() && Clock::now() >= next_walk_) {
    copied_ = Bytes{0};
    for (const pid_t child : children) copied_ += UnsharedMemory(child);
    next_walk_ = Clock::now() + kBetweenWalks;
  }
  const Bytes extra = GrowthOf(PrivateMemory(getpid()), own_before_) +
                      GrowthOf(PrivateMemory(target_), target_before_) + copied_;
  most_ = std::max(most_, extra);
}

Bytes MemoryWatch::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  return most_;
}

}  // namespace stillframe::evaluate
