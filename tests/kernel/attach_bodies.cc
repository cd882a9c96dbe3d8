#include "attach_bodies.h"

#include <sys/wait.h>
#include <unistd.h>

#include <vector>

namespace stillframe::test {

void StartAndEndThreads(Board& board, int starters) {
  std::vector<std::thread> threads;
  for (int i = 0; i < starters; ++i) {
    threads.emplace_back([&board] {
      while (board.stop == 0) {
        std::vector<std::thread> batch;
        for (int k = 0; k < 8; ++k) batch.emplace_back([&board] { ++board.progress; });
        for (std::thread& thread : batch) thread.join();
      }
    });
  }
  board.ready = 1;
  for (std::thread& thread : threads) thread.join();
}

void WaitForVforkChild(Board& board) {
  std::thread([&board] {
    for (;;) {
      ++board.progress;
      usleep(500);
    }
  }).detach();
  board.ready = 1;
  while (board.value[0] == 0) usleep(500);
  const pid_t other = vfork();
  if (other == 0) {
    board.value[1] = 1;
    while (board.stop == 0) usleep(500);
    _exit(0);
  }
  waitpid(other, nullptr, 0);
  board.value[2] = 1;
  while (board.value[3] == 0) usleep(500);
}

void HandleNumberedSignals(Board& board) {
  static Board* handler_board = nullptr;
  handler_board = &board;
  struct sigaction action {};
  action.sa_sigaction = [](int, siginfo_t* info, void*) {
    Board& to = *handler_board;
    if (info->si_value.sival_int != to.value[0]) ++to.failures;
    to.value[0] = info->si_value.sival_int + 1;
    ++to.progress;
  };
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(kNumberedSignal, &action, nullptr);
}

void TakeNumberedSignals(Board& board) {
  HandleNumberedSignals(board);
  board.ready = 1;
  volatile uint64_t spin = 0;
  while (board.stop == 0) {
    for (int i = 0; i < 100'000; ++i) spin = spin + 1;
    usleep(300);
  }
}

NumberedSignals::NumberedSignals(pid_t to)
    : thread_([this, to] {
        while (!done_) {
          sigval value{};
          value.sival_int = static_cast<int>(sent_);
          if (sigqueue(to, kNumberedSignal, value) == 0) ++sent_;
          usleep(500);
        }
      }) {}

NumberedSignals::~NumberedSignals() { Stop(); }

uint64_t NumberedSignals::Stop() {
  done_ = true;
  if (thread_.joinable()) thread_.join();
  return sent_;
}

std::array<std::atomic<uint64_t>, kWords> words;

void CountInAllWords(Board& board) {
  board.ready = 1;
  for (uint64_t n = 1; board.stop == 0; ++n) {
    for (auto& word : words) word = n;
    board.value[0] = static_cast<int64_t>(n);
    ++board.progress;
  }
}

}  // namespace stillframe::test
