// What the saver is held against: the least that copies a process's memory to an output.
#ifndef STILLFRAME_BENCH_PLAIN_COPY_H_
#define STILLFRAME_BENCH_PLAIN_COPY_H_

#include <sys/types.h>

#include "stillframe/units.h"

namespace stillframe::bench {

// A loop of process_vm_readv(2) and write(2) through one buffer of `step` bytes. Returns how long
// it took. Ends the program when a call fails.
Duration CopyPlainly(pid_t pid, AddressRange range, int output, Bytes step);

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_PLAIN_COPY_H_
