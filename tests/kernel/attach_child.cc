#include "attach_child.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <new>
#include <sstream>
#include <thread>
#include <vector>

namespace stillframe::test {
namespace {

Board* MakeBoard() {
  void* page =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return new (page) Board;
}

}  // namespace

bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 20'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Child::Child(const std::function<void(Board&)>& body) : board_(MakeBoard()), pid_(fork()) {
  if (pid_ != 0) return;
  alarm(240);  // never outlives a test that was killed
  body(*board_);
  _exit(0);
}

Child::~Child() {
  if (!ended_ && pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  munmap(board_, sizeof(Board));
}

void Child::AwaitReady() const {
  if (!Eventually([&] { return board_->ready.load() != 0; }))
    std::fprintf(stderr, "child not ready\n");
}

bool Child::Progresses(uint64_t steps) const {
  const uint64_t begin = board_->progress.load();
  return Eventually([&] { return board_->progress.load() >= begin + steps; });
}

int Child::AwaitEnd() {
  int status = -1;
  ended_ = Eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; });
  return ended_ ? status : -1;
}

std::string Child::ProcFile(const std::string& name) const {
  return ReadAll("/proc/" + std::to_string(pid_) + "/" + name);
}

std::string Child::StatusField(const std::string& name) const {
  std::istringstream status(ProcFile("status"));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  }
  return {};
}

std::string Child::OpenFiles() const {
  const std::string path = "/proc/" + std::to_string(pid_) + "/fd";
  std::vector<std::string> files;
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return {};
  while (const dirent* entry = readdir(directory)) {
    char target[256] = {};
    if (readlink((path + "/" + entry->d_name).c_str(), target, sizeof(target) - 1) < 0) continue;
    files.push_back(std::string(entry->d_name) + " " + target + "\n");
  }
  closedir(directory);
  std::ranges::sort(files);
  std::string text;
  for (const std::string& file : files) text += file;
  return text;
}

std::string Child::State(pid_t tid) const {
  const std::string stat = ProcFile("task/" + std::to_string(tid == 0 ? pid_ : tid) + "/stat");
  const size_t end = stat.rfind(')');
  return end == std::string::npos ? "" : stat.substr(end + 2, 1);
}

bool CanAttach() {
  Child child([](Board& board) {
    board.ready = 1;
    pause();
  });
  child.AwaitReady();
  const auto target = AttachProcess(child.pid());
  if (!target) {
    std::fprintf(stderr, "SKIPPED: these tests need ptrace and userfaultfd: %s\n",
                 target.error().message.c_str());
  }
  return target.has_value();
}

std::vector<ThreadState> WithoutTimes(std::vector<ThreadState> threads) {
  for (ThreadState& thread : threads) thread.user_ticks = thread.system_ticks = 0;
  return threads;
}

std::string AttachAndPause(pid_t pid, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    auto target = AttachProcess(pid);
    if (!target) return target.error().message;
    if (auto paused = (*target)->Pause(std::chrono::seconds(2)); !paused)
      return paused.error().message;
    if (auto state = (*target)->CaptureState(); !state) return state.error().message;
    if (auto resumed = (*target)->Resume(); !resumed) return resumed.error().message;
  }
  return {};
}

}  // namespace stillframe::test
