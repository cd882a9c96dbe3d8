#include "support/timed_save.h"

#include <utility>

#include "base/clock.h"

namespace stillframe::bench {

Result<TimedSave> SaveTimed(pid_t pid, const Output& output, SaveOptions options) {
  const Clock& clock = MonotonicClock();
  TimedSave save;
  options.at_instant = [&](pid_t) -> Result<void> {
    save.instant = clock.Now();
    return {};
  };
  save.began = clock.Now();
  STILLFRAME_ASSIGN(save.summary, SaveProcess(pid, output, std::move(options)));
  save.ended = clock.Now();
  return save;
}

}  // namespace stillframe::bench
