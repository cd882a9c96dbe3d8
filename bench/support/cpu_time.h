// What of the CPUs this process took.
#ifndef STILLFRAME_BENCH_SUPPORT_CPU_TIME_H_
#define STILLFRAME_BENCH_SUPPORT_CPU_TIME_H_

#include <sys/resource.h>

namespace stillframe::bench {

// Of all our threads, in user and kernel; children are not in it.
inline double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_CPU_TIME_H_
