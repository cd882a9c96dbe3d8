#include "target/attached_process.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "base/fail_point.h"
#include "sys/maps_parser.h"
#include "sys/pagemap.h"
#include "sys/pidfd.h"
#include "sys/proc_file.h"
#include "sys/process_memory.h"
#include "sys/process_status.h"
#include "target/pending_discards.h"
#include "target/thread_passage.h"

namespace stillframe {
namespace {

constexpr Bytes kMapsLimit = GiB(1);  // 65,530 mappings of 2 KiB text each are an eighth of that

// Why the memory of a process went: it goes on with that of another program, or it is on its way
// out. A leader that exits may also be making way for another thread's exec, so that is waited for.
bool WasReplaced(const ProcessHandle& process) {
  constexpr int kLooks = 100;
  constexpr timespec kBetween{.tv_sec = 0, .tv_nsec = 2'000'000};
  for (int i = 0; i < kLooks; ++i) {
    if (PidfdExited(process.pidfd.get())) return false;
    const auto leader = ReadStat(process.directory.get(), "stat");
    if (leader && !leader->dead() && !leader->exiting()) return true;
    nanosleep(&kBetween, nullptr);
  }
  return false;
}

}  // namespace

AttachedProcess::AttachedProcess(ProcessHandle process, InjectedFds fds)
    : process_(std::move(process)),
      fds_(std::move(fds)),
      stopper_(process_.directory.get(), process_.pid) {}

AttachedProcess::~AttachedProcess() { [[maybe_unused]] const auto resumed = Resume(); }

void AttachedProcess::CloseUserfaultfd() {
  second_userfaultfd_.reset();
  fds_.userfaultfd.reset();
}

// The page map reads nothing once its address space is gone, and it can't come back.
bool AttachedProcess::IsAlive() const {
  std::array<PagemapEntry, 1> entry;
  return ReadPagemap(fds_.pagemap.get(), {}, entry) == 1;
}

Result<void> AttachedProcess::CheckAlive() const {
  if (IsAlive()) return {};
  const std::string who = "process " + std::to_string(process_.pid);
  const bool replaced = WasReplaced(process_);
  return Fail(ErrorCode::kTargetGone, who + (replaced ? " was replaced by exec" : " exited"));
}

Result<std::vector<Mapping>> AttachedProcess::ReadMappings(bool details) const {
  auto mappings = ReadProcessMappings(process_.directory.get(), process_.pid, details);
  // What was read may be the next program's.
  STILLFRAME_TRY(CheckAlive());
  return mappings;
}

ReadOutcome AttachedProcess::Read(TargetAddress from, std::span<const iovec> to) const {
  const ReadOutcome outcome = ReadProcessMemory(process_.pid, fds_.memory.get(), from, to);
  if (outcome.error != ESRCH || outcome.copied != Bytes{0}) return outcome;
  // The leader has exited, and process_vm_readv knows no other thread; the descriptor is bound to
  // the memory itself.
  ssize_t n = 0;
  do {
    n = preadv(fds_.memory.get(), to.data(), static_cast<int>(to.size()),
               static_cast<off_t>(from.value));
  } while (n < 0 && errno == EINTR);
  if (n <= 0) return {.copied = {0}, .error = n < 0 ? errno : ESRCH};
  uint64_t wanted = 0;
  for (const iovec& part : to) wanted += part.iov_len;
  const auto done = static_cast<uint64_t>(n);
  return {.copied = {done}, .error = done == wanted ? 0 : EFAULT};
}

size_t AttachedProcess::PendingDiscards(std::span<AddressRange> ranges) const {
  return FindPendingDiscards(process_.directory.get(), ranges);
}

Result<void> AttachedProcess::StartTracer() {
  if (tracer_ != nullptr) return {};
  STILLFRAME_ASSIGN(tracer_, TracerThread::Start());
  return {};
}

Result<void> AttachedProcess::Pause(const PauseOptions& options) {
  if (stopper_.stopped()) return {};
  STILLFRAME_TRY(CheckAlive());
  STILLFRAME_TRY(StartTracer());
  if (options.for_fork) {
    STILLFRAME_ASSIGN(forker_, Forker::Start(process_));
  }
  Result<void> stopped;
  tracer_->Run([&] { stopped = stopper_.Stop(options, forker_.get()); },
               [this] { stopper_.ReapIfStuck(); },
               [this] {
                 if (stopper_.stopped() && prepared_) captured_.emplace(ReadState(*prepared_));
               });
  // Gone or replaced explains any failure better than what it failed with.
  auto alive = CheckAlive();
  if (stopped && alive) return {};
  STILLFRAME_TRY(Resume());
  return alive ? stopped : alive;
}

Result<void> AttachedProcess::AwaitSystemCalls(const PauseOptions& options) {
  if (stopper_.stopped()) return {};
  STILLFRAME_TRY(StartTracer());
  ThreadPassage passage(process_.directory.get(), process_.pid);
  Result<void> passed;
  bool let_go = false;
  try {
    tracer_->Run(
        [&] {
          passed = passage.Await(options);
          let_go = passage.End();
        },
        [&] { passage.ReapIfStuck(); });
  } catch (...) {
    tracer_.reset();  // with it whatever it holds
    throw;
  }
  if (!let_go) tracer_.reset();
  STILLFRAME_TRY(CheckAlive());  // explains any failure better
  return passed;
}

Result<std::unique_ptr<FrozenMemory>> AttachedProcess::Fork() {
  if (forker_ != nullptr && stopper_.stopped()) return forker_->Fork();
  return Fail(ErrorCode::kUsage,
              "forking process " + std::to_string(process_.pid) + ": it is not paused for that");
}

Result<void> AttachedProcess::Resume() {
  if (tracer_ == nullptr) return {};
  bool let_go = true;
  tracer_->Run([&] { let_go = stopper_.Resume(); });
  if (!let_go) tracer_.reset();
  forker_.reset();
  prepared_.reset();
  captured_.reset();
  return {};
}

Result<void> AttachedProcess::PrepareState() {
  if (tracer_ != nullptr) tracer_->Finish();
  captured_.reset();
  prepared_.reset();
  STILLFRAME_ASSIGN(prepared_, ReadProcessDetails(process_.directory.get(), process_.pid));
  return CheckAlive();
}

Result<ProcessState> AttachedProcess::ReadState(const ProcessDetails& details) const {
  const HeldThread* held = forker_ == nullptr ? nullptr : &forker_->held();
  return CaptureProcessState(process_.directory.get(), details, stopper_.StoppedThreads(), held);
}

Result<ProcessState> AttachedProcess::CaptureState() {
  if (!stopper_.stopped()) {
    return Fail(ErrorCode::kUsage, "reading the registers of process " +
                                       std::to_string(process_.pid) + ": it is not paused");
  }
  tracer_->Finish();
  if (!captured_) {
    if (!prepared_) STILLFRAME_TRY(PrepareState());
    tracer_->Run([this] { captured_.emplace(ReadState(*prepared_)); });
  }
  auto state = *std::exchange(captured_, std::nullopt);
  STILLFRAME_TRY(CheckAlive());
  return state;
}

Result<std::vector<Mapping>> ReadProcessMappings(int directory, pid_t pid, bool details) {
  const std::string what = "reading the mappings of process " + std::to_string(pid);
  constexpr int kTries = 5;
  std::string text;
  int error = ESRCH;
  // The thread that is asked may exit in the middle.
  for (int i = 0; i < kTries && error == ESRCH; ++i) {
    const pid_t tid = FindLiveThread(directory, pid);
    if (tid == 0) break;
    const UniqueFd fd(
        openat(directory, TaskPath(tid, details ? "smaps" : "maps").c_str(), O_RDONLY | O_CLOEXEC));
    error = fd ? ReadWholeFile(fd.get(), kMapsLimit, &text) : errno == ENOENT ? ESRCH : errno;
    if (error == 0 && text.empty()) error = ESRCH;
  }
  if (error != 0) return FailErrno(error, what, error == EACCES ? "run as root" : "");
  return ParseMaps(text);
}

namespace {

// Without touching it. The page map reads nothing once its address space is gone; so if it still
// reads something after the memory was opened, both are of one.
Result<InjectedFds> OpenMemory(const ProcessHandle& process) {
  const std::string what = "attaching to process " + std::to_string(process.pid);
  constexpr int kTries = 5;
  for (int i = 0; i < kTries; ++i) {
    const pid_t tid = FindLiveThread(process.directory.get(), process.pid);
    if (tid == 0) break;
    const auto open = [&](const char* name) {
      return UniqueFd(
          openat(process.directory.get(), TaskPath(tid, name).c_str(), O_RDONLY | O_CLOEXEC));
    };
    InjectedFds fds;
    fds.pagemap = open("pagemap");
    if (fds.pagemap) fds.memory = open("mem");
    FailPoint("attach.memory-opened");
    if (!fds.memory && errno != ENOENT && errno != ESRCH) {
      return FailErrno(errno, what + ": opening its memory", "run as root, or with CAP_SYS_PTRACE");
    }
    std::array<PagemapEntry, 1> entry;
    if (fds.memory && ReadPagemap(fds.pagemap.get(), {}, entry) == 1) return fds;
  }
  return Fail(ErrorCode::kTargetGone, what + ": it exited meanwhile");
}

Result<ExecutableRanges> FindCode(const ProcessHandle& process) {
  STILLFRAME_ASSIGN(const std::vector<Mapping> mappings,
                    ReadProcessMappings(process.directory.get(), process.pid, false));
  return FindExecutableRanges(mappings);
}

// With a userfaultfd that nobody else holds.
Result<InjectedFds> Inject(const ProcessHandle& process, Duration timeout) {
  constexpr int kTries = 3;
  STILLFRAME_ASSIGN(ExecutableRanges executable, FindCode(process));
  for (int i = 0; i < kTries; ++i) {
    const uint64_t since = TicksSinceBoot();
    auto fds = InjectUserfaultfd(process.pid, process.directory.get(), process.pidfd.get(),
                                 executable, timeout);
    FailPoint("attach.injected");
    if (fds && !HeldByNewProcess(fds->userfaultfd.get(), process.pid, since)) return fds;
    STILLFRAME_ASSIGN(const ExecutableRanges now, FindCode(process));
    // An exec in between is the one failure that another try mends: the code was looked for at the
    // old program's addresses.
    if (!fds && now == executable) return tl::unexpected(std::move(fds).error());
    executable = now;
  }
  return Fail(ErrorCode::kLimit,
              "attaching to process " + std::to_string(process.pid) +
                  ": it forked or called exec in the very moment each time",
              "try again later");
}

}  // namespace

Result<void> AttachedProcess::OpenSecondUserfaultfd(Duration timeout) {
  if (second_userfaultfd_) return {};
  if (stopper_.stopped()) {
    return Fail(ErrorCode::kUsage, "making another userfaultfd of process " +
                                       std::to_string(process_.pid) + ": it is paused");
  }
  STILLFRAME_ASSIGN(InjectedFds fds, Inject(process_, timeout));
  // It is of the address space that the process has now. As that of the attach still lives, it is
  // the same.
  STILLFRAME_TRY(CheckAlive());
  second_userfaultfd_ = std::move(fds.userfaultfd);
  fds_.stopped += fds.stopped;
  return {};
}

Result<std::unique_ptr<Target>> AttachProcess(pid_t pid, const AttachOptions& options) {
  STILLFRAME_ASSIGN(ProcessHandle process, OpenProcess(pid));
  STILLFRAME_TRY(CheckMemoryNotShared(process));
  STILLFRAME_ASSIGN(InjectedFds fds, options.userfaultfd
                                         ? Inject(process, options.injection_timeout)
                                         : OpenMemory(process));
  return std::make_unique<AttachedProcess>(std::move(process), std::move(fds));
}

}  // namespace stillframe
