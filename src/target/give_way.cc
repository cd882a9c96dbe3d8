#include "target/give_way.h"

#include <sched.h>
#include <time.h>

namespace stillframe {

void GiveWay(int look) {
  constexpr int kQuickLooks = 16;
  constexpr int kManyLooks = 64;
  if (look < kQuickLooks) {
    sched_yield();
    return;
  }
  const timespec wait{.tv_sec = 0, .tv_nsec = look < kManyLooks ? 20'000 : 100'000};
  nanosleep(&wait, nullptr);
}

}  // namespace stillframe
