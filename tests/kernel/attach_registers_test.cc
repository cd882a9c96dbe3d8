// Registers survive an injection at any instruction, and a pause shows them as they are.
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

#include "attach_child.h"
#include "attach_hold_registers.h"

namespace stillframe::test {
namespace {

TEST(AttachRegisters, SpinningThreadKeepsEveryRegister) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) {
      board.failures += HoldRegisters(100'000) != 0 ? 1 : 0;
      ++board.progress;
    }
  });
  child.AwaitReady();
  EXPECT_EQ(AttachAndPause(child.pid(), 50), "");
  EXPECT_TRUE(child.Progresses());
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().failures, 0u);
}

user_regs_struct RegistersOf(const ThreadState& thread) {
  user_regs_struct registers{};
  if (thread.prstatus.size() == sizeof(registers)) {
    std::memcpy(&registers, thread.prstatus.data(), sizeof(registers));
  }
  return registers;
}

TEST(AttachRegisters, PauseShowsThemAndChangesNone) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    while (board.stop == 0) board.failures += HoldRegisters(1'000'000) != 0 ? 1 : 0;
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  bool seen_inside = false;
  for (int i = 0; i < 200 && !seen_inside; ++i) {
    ASSERT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
    auto first = (*target)->CaptureState();
    auto second = (*target)->CaptureState();
    ASSERT_TRUE((*target)->Resume().has_value());
    ASSERT_TRUE(first.has_value() && second.has_value());
    ASSERT_EQ(first->threads.size(), 1u);
    EXPECT_EQ(first->threads, second->threads);
    ASSERT_EQ(first->threads[0].prstatus.size(), sizeof(user_regs_struct));
    EXPECT_EQ(first->threads[0].fpregset.size(), 512u);
    EXPECT_GE(first->threads[0].xstate.size(), 576u);
    const user_regs_struct registers = RegistersOf(first->threads[0]);
    // Most often in the loop, seldom around it.
    seen_inside = registers.rbx == 0x2222222222222222 && registers.r15 == 0x1212121212121212 &&
                  registers.rax == 0x1111111111111111;
  }
  EXPECT_TRUE(seen_inside);
  child.board().stop = 1;
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().failures, 0u);
}

TEST(AttachRegisters, BlockedThreadHasTheSameOnesBeforeAndAfterAnAttach) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    board.ready = 1;
    for (;;) pause();
  });
  child.AwaitReady();
  const auto capture = [&](Target& target) {
    EXPECT_TRUE(target.Pause(std::chrono::seconds(2)).has_value());
    auto state = target.CaptureState();
    EXPECT_TRUE(target.Resume().has_value());
    return state ? WithoutTimes(state->threads) : std::vector<ThreadState>();
  };
  auto first = AttachProcess(child.pid());
  ASSERT_TRUE(first.has_value());
  const auto before = capture(**first);
  ASSERT_EQ(AttachAndPause(child.pid(), 3), "");
  EXPECT_EQ(before, capture(**first));
}

// Asked of the kernel by itself.
ByteVector LegacyStateOf(pid_t pid) {
  ByteVector bytes(4096);
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  EXPECT_EQ(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
  EXPECT_EQ(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
  EXPECT_EQ(waitpid(pid, nullptr, __WALL), pid);
  EXPECT_EQ(ptrace(PTRACE_GETREGSET, pid, NT_PRFPREG, &part), 0);
  EXPECT_EQ(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
  bytes.resize(part.iov_len);
  return bytes;
}

// It is taken from the extended state.
TEST(AttachRegisters, LegacyFloatingPointStateIsTheKernels) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    asm volatile("pcmpeqd %%xmm7, %%xmm7\n fldpi\n movq $1, (%0)\n 1: jmp 1b"
                 :
                 : "r"(&board.ready)
                 : "xmm7", "memory");
  });
  child.AwaitReady();
  std::vector<ThreadState> threads;
  {
    auto target = AttachProcess(child.pid());
    ASSERT_TRUE(target.has_value()) << target.error().message;
    ASSERT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
    const auto state = (*target)->CaptureState();
    ASSERT_TRUE((*target)->Resume().has_value());
    ASSERT_TRUE(state.has_value()) << state.error().message;
    threads = state->threads;
  }
  ASSERT_EQ(threads.size(), 1u);
  const ByteVector expected = LegacyStateOf(child.pid());
  EXPECT_EQ(threads[0].fpregset, expected);
  EXPECT_NE(std::ranges::count(expected, std::byte{0xff}), 0) << "nothing of xmm7";
}

constexpr uint64_t kLowAddress = 0x100000;

// Never returns: loops in a 32-bit code segment.
void LoopIn32BitCode() {
  void* low = mmap(reinterpret_cast<void*>(kLowAddress), kPageSize.count,
                   PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (low == MAP_FAILED) _exit(1);
  std::memcpy(low, "\xeb\xfe", 2);  // jmp to itself
  asm volatile("pushq $0x23\n pushq %0\n lretq" : : "r"(low));
}

TEST(AttachRegisters, ThreadIn32BitCodeShowsWideOnes) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    std::thread loop(LoopIn32BitCode);
    board.ready = 1;
    loop.join();
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  user_regs_struct registers{};
  const bool seen = Eventually([&] {
    EXPECT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
    const auto state = (*target)->CaptureState();
    EXPECT_TRUE((*target)->Resume().has_value());
    if (!state || state->threads.size() != 2) return false;
    registers = RegistersOf(state->threads[1]);
    return registers.rip == kLowAddress;
  });
  ASSERT_TRUE(seen);
  EXPECT_EQ(registers.cs, 0x23u);
}

TEST(AttachState, ProcessIsDescribed) {
  if (!CanAttach()) GTEST_SKIP();
  Child child([](Board& board) {
    while (clock() < CLOCKS_PER_SEC / 10) {
    }
    board.ready = 1;
    for (;;) pause();
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ((*target)->CaptureState().error().code, ErrorCode::kUsage) << "not paused yet";
  ASSERT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
  const auto state = (*target)->CaptureState();
  ASSERT_TRUE(state.has_value()) << state.error().message;
  const auto text = [](const ByteVector& bytes) {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  EXPECT_EQ(state->pid, child.pid());
  EXPECT_EQ(state->boot_id + "\n", ReadAll("/proc/sys/kernel/random/boot_id"));
  EXPECT_EQ(text(state->auxv), child.ProcFile("auxv"));
  EXPECT_EQ(text(state->command_line), child.ProcFile("cmdline"));
  EXPECT_NE(state->executable.find("attach_registers_test"), std::string::npos);
  EXPECT_EQ(state->threads.at(0).tid, child.pid());
  EXPECT_EQ(state->threads.at(0).name + "\n", child.ProcFile("comm"));
  EXPECT_TRUE(state->threads.at(0).siginfo.empty());
  EXPECT_GT(state->threads.at(0).user_ticks + state->threads.at(0).system_ticks, 0u);
  EXPECT_EQ(state->coredump_filter, 0x33u);
  EXPECT_GT(state->start_time, 0u);
}

}  // namespace
}  // namespace stillframe::test
