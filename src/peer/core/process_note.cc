#include "peer/core/process_note.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace stillframe {
namespace {

timeval ToTime(uint64_t ticks) {
  constexpr uint64_t kPerSecond = 100;  // USER_HZ of x86-64
  constexpr uint64_t kMicroseconds = 1'000'000 / kPerSecond;
  return {.tv_sec = static_cast<time_t>(ticks / kPerSecond),
          .tv_usec = static_cast<suseconds_t>(ticks % kPerSecond * kMicroseconds)};
}

// The part of `text` that fits, a NUL behind it.
template <size_t kSize>
void CopyText(std::string_view text, char (&to)[kSize]) {
  text = text.substr(0, kSize - 1);
  text.copy(to, text.size());
}

// The kernel's own names for states, in the order of its numbers. The others have a point.
void SetState(char state, elf_prpsinfo* info) {
  constexpr std::string_view kStates = "RSDTZW";
  if (state == 't') state = 'T';
  const size_t number = std::min(kStates.find(state), kStates.size());
  info->pr_state = static_cast<char>(number);
  info->pr_sname = number < kStates.size() ? kStates[number] : '.';
  info->pr_zomb = info->pr_sname == 'Z' ? 1 : 0;
}

// The kernel's is the name of the leader.
std::string_view ShortName(const ProcessState& process) {
  if (!process.threads.empty() && !process.threads.front().name.empty()) {
    return process.threads.front().name;
  }
  return std::string_view(process.executable).substr(process.executable.rfind('/') + 1);
}

}  // namespace

ProcessFigures::ProcessFigures(const ProcessState& process)
    : stat(ParseStat(process.stat).value_or(ProcessStat())),
      status(ParseStatus(process.status).value_or(ProcessStatus())) {}

Result<elf_prstatus> MakePrstatus(const ProcessState& process, const ProcessFigures& figures,
                                  const ThreadState& thread) {
  const ProcessStat& stat = figures.stat;
  elf_prstatus status;
  std::memset(&status, 0, sizeof(status));  // the gaps between the fields as well
  if (!thread.prstatus.empty() && thread.prstatus.size() != sizeof(status.pr_reg)) {
    return Fail(ErrorCode::kDamaged,
                "writing the notes of the core: thread " + std::to_string(thread.tid) + " has " +
                    std::to_string(thread.prstatus.size()) + " bytes of registers in place of " +
                    std::to_string(sizeof(status.pr_reg)));
  }
  std::ranges::copy(thread.prstatus, std::as_writable_bytes(std::span(status.pr_reg)).begin());
  status.pr_sigpend = thread.pending_signals;
  status.pr_sighold = thread.signal_mask;
  status.pr_pid = thread.tid;
  status.pr_ppid = stat.parent;
  status.pr_pgrp = stat.group;
  status.pr_sid = stat.session;
  // The leader stands for all threads.
  const bool leader = thread.tid == process.pid;
  status.pr_utime = ToTime(leader ? stat.user_ticks : thread.user_ticks);
  status.pr_stime = ToTime(leader ? stat.system_ticks : thread.system_ticks);
  status.pr_cutime = ToTime(stat.children_user_ticks);
  status.pr_cstime = ToTime(stat.children_system_ticks);
  status.pr_fpvalid = thread.fpregset.empty() ? 0 : 1;
  return status;
}

elf_prpsinfo MakePrpsinfo(const ProcessState& process, const ProcessFigures& figures) {
  elf_prpsinfo info;
  std::memset(&info, 0, sizeof(info));
  SetState(figures.stat.state, &info);
  info.pr_nice = static_cast<char>(figures.stat.nice);
  info.pr_flag = figures.stat.flags;
  info.pr_uid = figures.status.uid;
  info.pr_gid = figures.status.gid;
  info.pr_pid = process.pid;
  info.pr_ppid = figures.stat.parent;
  info.pr_pgrp = figures.stat.group;
  info.pr_sid = figures.stat.session;
  CopyText(ShortName(process), info.pr_fname);
  std::string arguments(reinterpret_cast<const char*>(process.command_line.data()),
                        std::min<size_t>(process.command_line.size(), ELF_PRARGSZ));
  std::ranges::replace(arguments, '\0', ' ');
  CopyText(arguments, info.pr_psargs);
  return info;
}

}  // namespace stillframe
