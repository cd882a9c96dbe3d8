// Registers and all else that a core needs of a thread, read by another process of ours than the
// one that saves.
#ifndef STILLFRAME_TARGET_HELD_THREAD_H_
#define STILLFRAME_TARGET_HELD_THREAD_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "stillframe/process_state.h"

namespace stillframe {

// In memory that both share; only the pages that are used cost anything.
struct HeldThread {
  pid_t tid = 0;
  uint64_t signal_mask = 0;
  uint64_t pending_signals = 0;
  uint32_t prstatus_size = 0;
  uint32_t fpregset_size = 0;
  uint32_t xstate_size = 0;  // AVX-512 needs 2.7 KiB, AMX 11 KiB
  std::array<std::byte, 4096> prstatus;
  std::array<std::byte, 4096> fpregset;
  std::array<std::byte, 1 << 20> xstate;
};

// Of a thread that the calling one holds stopped. 0 or errno. No allocation.
int ReadHeldThread(pid_t tid, HeldThread* to);

// ThreadState::pending_signals. 0 or errno. No allocation.
int ReadPendingSignals(pid_t tid, uint64_t* signals);

// NT_* register set `kind`; `*size` 0 where the CPU or the thread has no such set. NT_PRSTATUS is
// that of 64-bit code, whatever the thread runs at the moment. E2BIG when there is more than room.
// 0 or errno. No allocation.
int ReadRegisterSet(pid_t tid, unsigned kind, std::span<std::byte> to, size_t* size);

// NT_PRFPREG out of NT_X86_XSTATE, which begins with it; empty where that is none. It need not be
// asked for then: one system call less for each thread in a pause.
struct LegacyState {
  static constexpr size_t kSize = 512;
  std::array<std::byte, kSize> bytes{};
  size_t size = 0;
};
LegacyState LegacyStateIn(std::span<const std::byte> xstate);

// All but its name and times. No siginfo: a thread that stopped because it was asked to has none.
ThreadState ToThreadState(const HeldThread& thread);

}  // namespace stillframe

#endif  // STILLFRAME_TARGET_HELD_THREAD_H_
