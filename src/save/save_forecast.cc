#include "stillframe/save_forecast.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "save/late_pace.h"
#include "save/precopy_pace.h"

namespace stillframe {
namespace {

// What was seen of a save to an output that takes everything at once; what another one takes is not
// known. Only an upper bound of the speed.
constexpr uint64_t kMostPerSecond = uint64_t{3200} << 20;
// What copying one page for its writer takes, and what the same does by a fork's copy-on-write.
constexpr uint64_t kMostFaultsPerSecond = 60'000;
// A pause that nobody notices: then the simplest way is the best.
constexpr Duration kNoMatter = std::chrono::milliseconds(5);
constexpr Bytes kOneBuffer = MiB(1);
// Inside the pause of precopy: to see that a page was not written, and to copy one that was.
constexpr Duration kLookAtPage = std::chrono::nanoseconds(3);
// The same for a page of a file mapping: the kernel has to look whether it is the mapping's own.
constexpr Duration kLookAtFilePage = std::chrono::nanoseconds(20);
constexpr Duration kReadPage = std::chrono::microseconds(1);

Duration TimeFor(Bytes bytes, uint64_t per_second) {
  const double seconds =
      static_cast<double>(bytes.count) / static_cast<double>(std::max<uint64_t>(1, per_second));
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

Bytes Scaled(Bytes bytes, double share) {
  return {static_cast<uint64_t>(static_cast<double>(bytes.count) * share)};
}

class Forecaster {
 public:
  Forecaster(const TargetSurvey& survey, const SaveOptions& options)
      : survey_(survey),
        options_(options),
        // Zero pages are read and not written.
        write_time_(TimeFor(Scaled(All(), 1 - survey.zero_share), OutputPerSecond())),
        duration_(std::max(TimeFor(All(), survey.read_per_second), write_time_)) {}

  SaveForecast Run() const {
    SaveForecast forecast;
    forecast.survey = survey_;
    forecast.ways = {WriteProtect(), Fork(), Stop(), Precopy(), Late()};
    Advise(&forecast);
    return forecast;
  }

 private:
  Bytes All() const { return survey_.present + survey_.copied; }
  uint64_t OutputPerSecond() const {
    const uint64_t limit = options_.max_bandwidth.count;
    return limit == 0 ? kMostPerSecond : std::min(limit, kMostPerSecond);
  }
  // Of what both wp and fork do inside their pause.
  Duration BriefPause() const {
    return survey_.stop + survey_.look + TimeFor(survey_.copied, survey_.read_per_second);
  }
  // Where private mappings of files are copied before it, and only looked at inside.
  Bytes CopiedAtLast() const { return survey_.copied - survey_.of_files; }
  Duration WatchingPause() const {
    return survey_.stop + survey_.look + TimeFor(CopiedAtLast(), survey_.read_per_second) +
           kLookAtFilePage * static_cast<int64_t>(ToPages(survey_.of_files).count);
  }
  // While the target runs, where it is write-protected.
  Duration Arming() const {
    return survey_.arm_page * static_cast<int64_t>(ToPages(survey_.present).count);
  }
  std::string CopiesObstacle() const {
    return survey_.copied > survey_.available ? "no memory for what has to be copied in the pause"
                                              : "";
  }
  // What the target writes while it is saved, for the first time each.
  Bytes WrittenMeanwhile() const {
    if (!survey_.pages_written) return survey_.present;  // the worst
    const double seconds = std::chrono::duration<double>(duration_).count();
    const double pages = static_cast<double>(*survey_.pages_written) * seconds;
    return {static_cast<uint64_t>(
        std::min(static_cast<double>(survey_.present.count), pages * kPageSize.count))};
  }

  Duration TimeToSave(Pages pages) const {
    return TimeFor(ToBytes(pages), std::min(survey_.read_per_second, OutputPerSecond()));
  }
  Pages WrittenDuring(Duration round) const {
    const double pages = static_cast<double>(survey_.pages_written.value_or(0)) *
                         std::chrono::duration<double>(round).count();
    return {static_cast<uint64_t>(
        std::min(static_cast<double>(ToPages(survey_.present).count), pages))};
  }
  // A checksum for each page that went out, and a bit for each that was copied.
  Bytes IndexOfRounds() const { return survey_.present / kPageSize.count * 10; }

  WayForecast WriteProtect() const {
    // Six bits a page in the ledger.
    const Bytes ledger = survey_.memory / (kPageSize.count * 8) * 6;
    return {.via = Via::kWriteProtect,
            .obstacle = survey_.wp_obstacle.empty() ? CopiesObstacle() : survey_.wp_obstacle,
            .pause = WatchingPause(),
            .duration = Arming() + WatchingPause() + duration_,
            .extra_memory = CopiedAtLast() + options_.stage + ledger};
  }
  WayForecast Fork() const {
    // Page tables: eight bytes a page.
    const Bytes tables = survey_.present / 512;
    return {.via = Via::kFork,
            .obstacle = CopiesObstacle(),
            .pause = BriefPause() + Arming(),  // a fork costs what arming costs
            .duration = BriefPause() + Arming() + duration_,
            .extra_memory = survey_.copied + tables + WrittenMeanwhile() + kOneBuffer};
  }
  WayForecast Stop() const {
    const Duration pause = survey_.stop + survey_.look + duration_;
    return {.via = Via::kStop,
            .obstacle = "",
            .pause = pause,
            .duration = pause,
            .extra_memory = kOneBuffer};
  }

  // As the rounds themselves: until few pages are without a copy, or rounds don't help.
  WayForecast Late() const {
    WayForecast way = WriteProtect();
    way.instant = Instant::kLate;
    const Pages all = ToPages(survey_.present);
    LatePace pace(all, options_.stage);
    Pages left = all;
    way.duration = Arming() + WatchingPause();
    while (pace.IsWorthRound(left)) {
      const Duration round = TimeToSave(left);
      way.duration += round;
      left = WrittenDuring(round);
    }
    way.duration += TimeToSave(left);
    way.extra_memory += IndexOfRounds();
    return way;
  }

  // As the rounds themselves: until a pause would be short enough, or rounds don't help.
  WayForecast Precopy() const {
    const Pages all = ToPages(survey_.present);
    // Scattered pages are read one by one.
    const Duration fixed = survey_.look + kLookAtPage * static_cast<int64_t>(all.count);
    PrecopyPace pace(options_.pause_limit);
    Pages left = all;
    Duration pause;
    Duration rounds{0};
    do {
      const Duration round = TimeToSave(left) + fixed;
      rounds += round;
      left = WrittenDuring(round);
      pause = fixed + kReadPage * static_cast<int64_t>(left.count);
    } while (pace.AfterRound(pause, pause - fixed) == PrecopyPace::Verdict::kGoOn);
    pause += WatchingPause() - survey_.look;  // which is part of what is fixed
    return {.via = Via::kPrecopy,
            .obstacle = !survey_.wp_obstacle.empty()        ? survey_.wp_obstacle
                        : !survey_.precopy_obstacle.empty() ? survey_.precopy_obstacle
                                                            : CopiesObstacle(),
            .pause = pause,
            .duration = rounds + pause,
            .extra_memory = survey_.copied + ToBytes(left) + IndexOfRounds() + kOneBuffer};
  }

  void Advise(SaveForecast* forecast) const {
    const auto& [wp, fork, stop, precopy, late] = forecast->ways;
    static_cast<void>(precopy);  // for who can bear its pause, and no stall
    static_cast<void>(late);     // for who can wait for the instant, and bear a larger image
    const bool busy = survey_.pages_written.value_or(0) > kMostFaultsPerSecond;
    const bool room = fork.obstacle.empty() && fork.extra_memory < survey_.available / 2;
    if (stop.pause <= kNoMatter) {
      forecast->advice = Via::kStop;
      forecast->reason = "stopped throughout it is hardly stopped longer";
    } else if (wp.obstacle.empty() && !(busy && room)) {
      forecast->advice = Via::kWriteProtect;
      forecast->reason = "the pause is short, and extra memory is bounded by the stage";
    } else if (fork.obstacle.empty() && room) {
      forecast->advice = Via::kFork;
      forecast->reason = wp.obstacle.empty()
                             ? "it writes more pages than can be copied one by one"
                             : "write protection can't be had, and there is memory for a copy";
    } else if (wp.obstacle.empty()) {
      forecast->advice = Via::kWriteProtect;
      forecast->reason = "there is no memory for a copy";
    } else {
      forecast->advice = Via::kStop;
      forecast->reason = "nothing else can be done here";
    }
  }

  const TargetSurvey& survey_;
  const SaveOptions& options_;
  const Duration write_time_;
  const Duration duration_;
};

}  // namespace

SaveForecast ForecastFrom(const TargetSurvey& survey, const SaveOptions& options) {
  return Forecaster(survey, options).Run();
}

}  // namespace stillframe
