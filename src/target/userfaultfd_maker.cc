#include "target/userfaultfd_maker.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/fail_point.h"
#include "sys/fd_passing.h"
#include "sys/pidfd.h"

namespace stillframe {
namespace {

// Never UFFD_USER_MODE_ONLY: the target's own system calls would fail with EFAULT on armed memory.
constexpr uint64_t kFlags = O_CLOEXEC | O_NONBLOCK;

// What stands where in the scratch page.
struct ScratchPage {
  int sockets[2];
  msghdr message;
  iovec part;
  char data[8];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};
static_assert(sizeof(ScratchPage) <= kPageSize.count && sizeof(msghdr) == 56);

template <class Value>
bool ReadRemote(int memory, uint64_t address, Value* value) {
  return pread(memory, value, sizeof(*value), static_cast<off_t>(address)) ==
         static_cast<ssize_t>(sizeof(*value));
}

template <class Value>
bool WriteRemote(int memory, uint64_t address, const Value& value) {
  return pwrite(memory, &value, sizeof(value), static_cast<off_t>(address)) ==
         static_cast<ssize_t>(sizeof(value));
}

template <class Member>
Member* At(uint64_t page, size_t offset) {
  return reinterpret_cast<Member*>(page + offset);
}

}  // namespace

// A descriptor in the target's table.
class UserfaultfdMaker::RemoteFd {
 public:
  RemoteFd(RemoteThread* thread, int64_t number) : thread_(thread), number_(number) {}
  RemoteFd(const RemoteFd&) = delete;
  RemoteFd& operator=(const RemoteFd&) = delete;
  ~RemoteFd() { Close(); }

  int number() const { return static_cast<int>(number_); }
  // What its close(2) returned.
  int64_t Close() {
    if (number_ < 0) return 0;
    const auto number = static_cast<uint64_t>(number_);
    number_ = -1;
    return thread_->Call(SYS_close, {number});
  }
  // Somebody else in the target took the number; it is not ours to close any more.
  void Forget() { number_ = -1; }

 private:
  RemoteThread* thread_;
  int64_t number_;
};

// A page of memory in the target, for what the kernel wants by address.
class UserfaultfdMaker::RemotePage {
 public:
  explicit RemotePage(RemoteThread* thread) : thread_(thread) {
    constexpr uint64_t kNoFd = ~uint64_t{0};
    address_ = thread->Call(SYS_mmap, {0, kPageSize.count, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, kNoFd, 0});
  }
  RemotePage(const RemotePage&) = delete;
  RemotePage& operator=(const RemotePage&) = delete;
  ~RemotePage() {
    if (good()) thread_->Call(SYS_munmap, {address(), kPageSize.count});
  }

  bool good() const { return address_ > 0; }
  int64_t result() const { return address_; }
  uint64_t address() const { return static_cast<uint64_t>(address_); }

 private:
  RemoteThread* thread_;
  int64_t address_;
};

UniqueFd UserfaultfdMaker::Fail(InjectionReport* report, InjectionStep step, int64_t result) {
  report->step = step;
  report->error = static_cast<int32_t>(-result);
  return UniqueFd();
}

UniqueFd UserfaultfdMaker::Make(InjectionReport* report) {
  const int64_t number = thread_->Call(SYS_userfaultfd, {kFlags});
  if (number == -EPERM || number == -ENOSYS) {
    report->call_error = static_cast<int32_t>(-number);
    return MakeFromDevice(report);
  }
  if (number < 0) return Fail(report, InjectionStep::kUserfaultfd, number);
  RemoteFd remote(thread_, number);
  return Take(&remote, report);
}

UniqueFd UserfaultfdMaker::Take(RemoteFd* fd, InjectionReport* report) {
  UniqueFd ours = PidfdGetFd(pidfd_, fd->number());
  const int error = errno;
  FailPoint("attach.pidfd-getfd");
  if (!ours) return Fail(report, InjectionStep::kTakeDescriptor, -error);
  // Another thread of the target may have closed all descriptors in that moment and opened one of
  // its own there.
  if (SameFile(thread_->tid(), fd->number(), getpid(), ours.get()) == false) {
    fd->Forget();
    return Fail(report, InjectionStep::kTakeDescriptor, -EBADF);
  }
  if (const int64_t closed = fd->Close(); closed < 0) {
    return Fail(report, InjectionStep::kClose, closed);
  }
  return ours;
}

UniqueFd UserfaultfdMaker::MakeFromDevice(InjectionReport* report) {
  if (device_ < 0) return Fail(report, InjectionStep::kOpenDevice, -device_error_);
  const RemotePage page(thread_);
  if (!page.good()) return Fail(report, InjectionStep::kScratchPage, page.result());
  RemoteFd device(thread_, PassDeviceIn(page, report));
  if (device.number() < 0) return UniqueFd();
  RemoteFd remote(thread_, thread_->Call(SYS_ioctl, {static_cast<uint64_t>(device.number()),
                                                     USERFAULTFD_IOC_NEW, kFlags}));
  if (remote.number() < 0) {
    return Fail(report, InjectionStep::kCreateFromDevice, remote.number());
  }
  UniqueFd ours = Take(&remote, report);
  if (ours && device.Close() < 0) return Fail(report, InjectionStep::kClose, -ESRCH);
  return ours;
}

int64_t UserfaultfdMaker::PassDeviceIn(const RemotePage& page, InjectionReport* report) {
  constexpr uint64_t kType = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const int64_t made = thread_->Call(
      SYS_socketpair, {AF_UNIX, kType, 0, page.address() + offsetof(ScratchPage, sockets)});
  std::array<int, 2> numbers = {-1, -1};
  if (made == 0 && !ReadRemote(memory_, page.address(), &numbers)) numbers = {-1, -1};
  if (made < 0 || numbers[0] < 0) {
    Fail(report, InjectionStep::kSocketPair, made < 0 ? made : -EIO);
    return -1;
  }
  RemoteFd near_end(thread_, numbers[0]);
  RemoteFd far_end(thread_, numbers[1]);
  const UniqueFd ours = Take(&near_end, report);
  if (!ours) return -1;
  const std::byte byte{0};
  if (const int error = SendWithFds(ours.get(), std::span(&byte, 1), std::span(&device_, 1))) {
    Fail(report, InjectionStep::kPassDevice, -error);
    return -1;
  }
  FailPoint("attach.device-sent");
  const int64_t device = ReceiveDevice(page, far_end.number());
  if (device < 0) Fail(report, InjectionStep::kPassDevice, device);
  return device < 0 ? -1 : device;
}

int64_t UserfaultfdMaker::ReceiveDevice(const RemotePage& page, int socket) {
  ScratchPage scratch{};
  const uint64_t base = page.address();
  scratch.part = {.iov_base = At<char>(base, offsetof(ScratchPage, data)), .iov_len = 1};
  scratch.message.msg_iov = At<iovec>(base, offsetof(ScratchPage, part));
  scratch.message.msg_iovlen = 1;
  scratch.message.msg_control = At<char>(base, offsetof(ScratchPage, control));
  scratch.message.msg_controllen = sizeof(scratch.control);
  if (!WriteRemote(memory_, base, scratch)) return -EIO;
  const int64_t received = thread_->Call(
      SYS_recvmsg, {static_cast<uint64_t>(socket), base + offsetof(ScratchPage, message),
                    MSG_DONTWAIT | MSG_CMSG_CLOEXEC});
  if (received < 0) return received;
  if (!ReadRemote(memory_, base, &scratch)) return -EIO;
  // The kernel drops a descriptor that there is no room for.
  if (scratch.message.msg_controllen < CMSG_LEN(sizeof(int))) return -EMFILE;
  int number = -1;
  std::memcpy(&number, scratch.control + CMSG_LEN(0), sizeof(number));
  return number < 0 ? -EIO : number;
}

}  // namespace stillframe
