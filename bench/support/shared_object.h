// An object that this process and the children it forks see alike.
#ifndef STILLFRAME_BENCH_SUPPORT_SHARED_OBJECT_H_
#define STILLFRAME_BENCH_SUPPORT_SHARED_OBJECT_H_

#include "evaluate/bench/shared.h"

namespace stillframe::bench {

using evaluate::SharedObject;

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_SHARED_OBJECT_H_
