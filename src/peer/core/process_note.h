// NT_PRSTATUS and NT_PRPSINFO: who a process and its threads are, filled as the kernel does.
#ifndef STILLFRAME_PEER_CORE_PROCESS_NOTE_H_
#define STILLFRAME_PEER_CORE_PROCESS_NOTE_H_

#include <sys/procfs.h>

#include "stillframe/error.h"
#include "stillframe/process_state.h"
#include "sys/process_status.h"

namespace stillframe {

// What the texts of /proc say of a process. From an image they may say anything, and what they
// don't say is 0.
struct ProcessFigures {
  explicit ProcessFigures(const ProcessState& process);

  ProcessStat stat;
  ProcessStatus status;
};

// No signal: nothing killed it. Where the thread's registers were not saved they are zero. kDamaged
// for registers of a wrong size.
Result<elf_prstatus> MakePrstatus(const ProcessState& process, const ProcessFigures& figures,
                                  const ThreadState& thread);

elf_prpsinfo MakePrpsinfo(const ProcessState& process, const ProcessFigures& figures);

}  // namespace stillframe

#endif  // STILLFRAME_PEER_CORE_PROCESS_NOTE_H_
