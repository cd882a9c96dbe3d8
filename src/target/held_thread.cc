#include "target/held_thread.h"

#include <elf.h>
#include <sys/user.h>

#include <algorithm>
#include <cerrno>

#include "base/fail_point.h"
#include "sys/tracee.h"

namespace stillframe {
namespace {

template <size_t kSize>
int ReadSet(pid_t tid, unsigned kind, std::array<std::byte, kSize>* to, uint32_t* size) {
  size_t got = 0;
  const int error = ReadRegisterSet(tid, kind, *to, &got);
  *size = static_cast<uint32_t>(got);
  return error;
}

// How much of it there is.
size_t Put(const user_regs_struct& registers, std::span<std::byte> to) {
  const auto bytes = std::as_bytes(std::span(&registers, 1));
  const size_t size = std::min(bytes.size(), to.size());
  std::copy_n(bytes.begin(), size, to.begin());
  return size;
}

int ReadLegacyState(pid_t tid, HeldThread* to) {
  const LegacyState legacy = LegacyStateIn(std::span(to->xstate).first(to->xstate_size));
  if (legacy.size == 0) return ReadSet(tid, NT_PRFPREG, &to->fpregset, &to->fpregset_size);
  std::copy_n(legacy.bytes.begin(), legacy.size, to->fpregset.begin());
  to->fpregset_size = static_cast<uint32_t>(legacy.size);
  return 0;
}

ByteVector Cut(std::span<const std::byte> bytes, size_t size) {
  bytes = bytes.first(std::min(size, bytes.size()));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

int ReadRegisterSet(pid_t tid, unsigned kind, std::span<std::byte> to, size_t* size) {
  int error = PtraceGetRegisterSet(tid, kind, to, size);
  FailPoint("pause.getregset");
  if (error == 0 && kind == NT_PRSTATUS && *size != sizeof(user_regs_struct)) {
    user_regs_struct registers{};
    error = PtraceGetWideRegisters(tid, &registers);
    if (error == 0) *size = Put(registers, to);
  }
  if (error == ENODEV || error == EINVAL || error == EIO) {
    *size = 0;
    return 0;
  }
  // The kernel cuts it off silently.
  return error == 0 && *size == to.size() ? E2BIG : error;
}

LegacyState LegacyStateIn(std::span<const std::byte> xstate) {
  constexpr size_t kHeader = 64;
  // Behind the registers are bytes that have no meaning in the one, and are the kernel's in the
  // other.
  constexpr size_t kRegisters = 464;
  LegacyState legacy;
  if (xstate.size() < LegacyState::kSize + kHeader) return legacy;
  std::copy_n(xstate.begin(), kRegisters, legacy.bytes.begin());
  legacy.size = LegacyState::kSize;
  return legacy;
}

int ReadPendingSignals(pid_t tid, uint64_t* signals) {
  const int error = PtraceGetPendingSignals(tid, signals);
  FailPoint("pause.peeksiginfo");
  return error;
}

int ReadHeldThread(pid_t tid, HeldThread* to) {
  to->tid = tid;
  int error = ReadSet(tid, NT_PRSTATUS, &to->prstatus, &to->prstatus_size);
  if (error == 0) error = ReadSet(tid, NT_X86_XSTATE, &to->xstate, &to->xstate_size);
  if (error == 0) error = ReadLegacyState(tid, to);
  if (error == 0) error = PtraceGetSignalMask(tid, &to->signal_mask);
  if (error == 0) error = ReadPendingSignals(tid, &to->pending_signals);
  return error;
}

ThreadState ToThreadState(const HeldThread& thread) {
  ThreadState state;
  state.tid = thread.tid;
  state.signal_mask = thread.signal_mask;
  state.pending_signals = thread.pending_signals;
  state.prstatus = Cut(thread.prstatus, thread.prstatus_size);
  state.fpregset = Cut(thread.fpregset, thread.fpregset_size);
  state.xstate = Cut(thread.xstate, thread.xstate_size);
  return state;
}

}  // namespace stillframe
