// A forked child that never outlives its owner.
#ifndef STILLFRAME_BENCH_SUPPORT_CHILD_PROCESS_H_
#define STILLFRAME_BENCH_SUPPORT_CHILD_PROCESS_H_

#include <functional>
#include <memory>

#include "evaluate/bench/child.h"
#include "support/machine.h"

namespace stillframe::bench {

using evaluate::ChildProcess;

// ChildProcess::Start, or the end of the program.
inline std::unique_ptr<ChildProcess> StartChild(const std::function<int()>& body, int keep = -1) {
  return OrDie("starting a child", ChildProcess::Start(body, keep));
}

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_CHILD_PROCESS_H_
