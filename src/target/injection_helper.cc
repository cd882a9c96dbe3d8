#include "target/injection_helper.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/clock.h"
#include "base/fail_point.h"
#include "base/unique_fd.h"
#include "sys/fd_passing.h"
#include "sys/pidfd.h"
#include "sys/proc_file.h"
#include "target/helper_process.h"
#include "target/injection_report.h"
#include "target/remote_thread.h"
#include "target/thread_chooser.h"
#include "target/userfaultfd_maker.h"

namespace stillframe {
namespace {

constexpr unsigned kPidfdThread = O_EXCL;  // PIDFD_THREAD, 6.9

class Injector final : public ThreadCheck {
 public:
  Injector(const InjectionOrder& order, HelperLease* lease)
      : order_(order), chooser_(order.process, &order.executable, this), thread_(lease) {}

  void Run();
  void Send() const;
  InjectionFailure Check(pid_t tid) override;

 private:
  InjectionFailure Inject();
  bool OpenMemory(pid_t tid);
  UniqueFd DescriptorTableOf(pid_t tid) const;

  const InjectionOrder& order_;
  ThreadChooser chooser_;
  RemoteThread thread_;
  ChosenThread chosen_;
  InjectionReport report_;
  UniqueFd userfaultfd_;
  UniqueFd memory_;
  UniqueFd pagemap_;
  UniqueFd table_;  // a pidfd with the thread's descriptor table
};

void Injector::Run() {
  InjectionFailure failure;
  if (chooser_.Stop(&thread_, MonotonicClock().Now() + order_.timeout, &chosen_)) {
    failure = Inject();
    report_.stopped_ns = thread_.stopped_time().count();
  } else {
    failure = chooser_.failure();
  }
  report_.thread = chooser_.tried();
  report_.step = failure.step;
  report_.error = failure.error;
}

InjectionFailure Injector::Inject() {
  if (const int error = thread_.Begin(chosen_.instruction)) {
    thread_.Release();
    return {error == ECANCELED ? InjectionStep::kRevoked : InjectionStep::kPrepare, error};
  }
  UserfaultfdMaker maker(&thread_, chosen_.memory.get(), table_.get(), order_.device,
                         order_.device_error);
  userfaultfd_ = maker.Make(&report_);
  if (const int released = thread_.Release()) {
    userfaultfd_.reset();
    return {InjectionStep::kRelease, released};
  }
  return {report_.step, report_.error};
}

InjectionFailure Injector::Check(pid_t tid) {
  if (!OpenMemory(tid)) return {InjectionStep::kOpenMemory, errno};
  table_ = DescriptorTableOf(tid);
  if (!table_) return {InjectionStep::kTakeDescriptor, errno};
  return {};
}

// Opened while the thread stands still and before the last call is run in it: an exec of another
// thread would have killed it, so these and the userfaultfd are of one address space.
bool Injector::OpenMemory(pid_t tid) {
  memory_ = UniqueFd(openat(order_.process, TaskPath(tid, "mem").c_str(), O_RDONLY | O_CLOEXEC));
  if (!memory_) return false;
  pagemap_ =
      UniqueFd(openat(order_.process, TaskPath(tid, "pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  FailPoint("attach.open-memory");
  return static_cast<bool>(pagemap_);
}

// pidfd_getfd(2) takes from the table of the thread that the pidfd names, and threads may have
// tables of their own (unshare), or be a leader that has exited.
UniqueFd Injector::DescriptorTableOf(pid_t tid) const {
  UniqueFd thread(static_cast<int>(syscall(SYS_pidfd_open, tid, kPidfdThread)));
  if (thread) return thread;
  UniqueFd leader(fcntl(order_.pidfd, F_DUPFD_CLOEXEC, 0));
  if (tid == order_.pid || SameDescriptorTable(tid, order_.pid) == true) return leader;
  errno = EBADF;
  return UniqueFd();
}

void Injector::Send() const {
  const auto bytes = std::as_bytes(std::span(&report_, 1));
  std::array<int, kInjectedFdCount> fds{};
  fds[kInjectedUserfaultfd] = userfaultfd_.get();
  fds[kInjectedMemory] = memory_.get();
  fds[kInjectedPagemap] = pagemap_.get();
  SendWithFds(order_.socket, bytes,
              userfaultfd_ ? std::span<const int>(fds) : std::span<const int>());
  FailPoint("attach.fd-passed");
}

}  // namespace

void RunInjectionHelper(const void* argument, HelperLease* lease) {
  const auto& order = *static_cast<const InjectionOrder*>(argument);
  ShelterHelper();
  std::array<int, 4> kept = {order.process, order.pidfd, order.device, order.socket};
  CloseAllBut(kept);
  FailPoint("inject.helper");
  {
    Injector injector(order, lease);
    injector.Run();
    injector.Send();
  }
  _exit(0);
}

}  // namespace stillframe
