// What each way of saving a target would cost, before one is chosen.
#ifndef STILLFRAME_SAVE_FORECAST_H_
#define STILLFRAME_SAVE_FORECAST_H_

#include <sys/types.h>

#include <array>
#include <optional>
#include <string>

#include "stillframe/error.h"
#include "stillframe/save.h"
#include "stillframe/units.h"

namespace stillframe {

// What was measured of a target that runs.
struct TargetSurvey {
  pid_t pid = 0;
  Bytes memory;     // all that an image of it would describe
  Bytes present;    // of it there in memory or swap, and not copied inside the pause of wp and fork
  Bytes copied;     // what is copied inside that pause
  Bytes of_files;   // part of that: private mappings of files, which wp and precopy copy before it
  Bytes huge;       // of the target's memory in huge pages
  Bytes available;  // for us, without swapping; all ones where the system doesn't say
  Duration stop{0};  // to stop all threads and let them go on
  Duration look{0};  // to read its mappings once, inside the pause
  // Of pages that were looked at, for each one: to write-protect it, with its share of everything
  // that has to be done with it inside the pause.
  Duration arm_page{0};
  uint64_t read_per_second = 0;  // bytes, from the target into our memory
  double zero_share = 0;         // of the present pages that hold only zeros, 0 to 1
  // Pages written for the first time since a moment, per second; unknown without WP_ASYNC (6.7).
  std::optional<uint64_t> pages_written = std::nullopt;
  Pages sampled;                      // how many pages these figures rest on
  std::string wp_obstacle = {};       // why write protection can't be had; empty when it can
  std::string precopy_obstacle = {};  // the same for rounds, where wp has none
};

struct WayForecast {
  Via via = Via::kWriteProtect;
  Instant instant = Instant::kNow;
  std::string obstacle = {};  // why it can't be done; empty when it can
  Duration pause{0};
  Duration duration{0};  // at the least: what the output takes is not known
  Bytes extra_memory;    // ours, and what the target's writes make the kernel copy
};

struct SaveForecast {
  TargetSurvey survey;
  std::array<WayForecast, 5> ways;  // wp, fork, stop, precopy, wp with a late instant
  Via advice = Via::kWriteProtect;
  std::string reason;  // of the advice: a sentence without a full stop
};

// Pure: figures in, figures out.
SaveForecast ForecastFrom(const TargetSurvey& survey, const SaveOptions& options);

// Attaches, stops the target for a moment to arm a sample of at most 256 MiB of its memory, looks
// again 200 ms later which of it was written, reads as much of it, and detaches. Errors: those of
// AttachProcess.
Result<SaveForecast> ForecastSave(pid_t pid, const SaveOptions& options = {});

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_FORECAST_H_
