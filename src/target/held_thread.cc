#include "target/held_thread.h"

#include <elf.h>

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

ByteVector Cut(std::span<const std::byte> bytes, size_t size) {
  bytes = bytes.first(std::min(size, bytes.size()));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

int ReadRegisterSet(pid_t tid, unsigned kind, std::span<std::byte> to, size_t* size) {
  const int error = PtraceGetRegisterSet(tid, kind, to, size);
  FailPoint("pause.getregset");
  if (error == ENODEV || error == EINVAL || error == EIO) {
    *size = 0;
    return 0;
  }
  // The kernel cuts it off silently.
  return error == 0 && *size == to.size() ? E2BIG : error;
}

int ReadHeldThread(pid_t tid, HeldThread* to) {
  to->tid = tid;
  int error = ReadSet(tid, NT_PRSTATUS, &to->prstatus, &to->prstatus_size);
  if (error == 0) error = ReadSet(tid, NT_PRFPREG, &to->fpregset, &to->fpregset_size);
  if (error == 0) error = ReadSet(tid, NT_X86_XSTATE, &to->xstate, &to->xstate_size);
  if (error == 0) error = PtraceGetSignalMask(tid, &to->signal_mask);
  return error;
}

ThreadState ToThreadState(const HeldThread& thread) {
  ThreadState state;
  state.tid = thread.tid;
  state.signal_mask = thread.signal_mask;
  state.prstatus = Cut(thread.prstatus, thread.prstatus_size);
  state.fpregset = Cut(thread.fpregset, thread.fpregset_size);
  state.xstate = Cut(thread.xstate, thread.xstate_size);
  return state;
}

}  // namespace stillframe
