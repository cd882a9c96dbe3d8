// Measures a target that runs, for a forecast.
#include <fcntl.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "fault/fault_channel.h"
#include "save/armed_memory.h"
#include "save/memory_budget.h"
#include "save/memory_sample.h"
#include "save/paused_copy.h"
#include "save/private_files.h"
#include "save/save_options.h"
#include "save/save_planner.h"
#include "save/still_memory.h"
#include "stillframe/save_forecast.h"
#include "sys/proc_file.h"

namespace stillframe {
namespace {

// How long a write has to be noticed.
constexpr Duration kWatch = std::chrono::milliseconds(200);
constexpr Pages kRead = ToPages(MiB(64));
// While the target stands still this may not take long: the sample is small.
constexpr Duration kStopTimeout = std::chrono::milliseconds(100);

// The CPU time of this thread: on a busy machine the time by the clock of so short a piece of work
// says more of when others had their turns than of what the work costs.
Duration CpuTime() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

uint64_t PerSecond(uint64_t count, Duration time) {
  const auto ns = static_cast<double>(std::max<int64_t>(1, time.count()));
  return static_cast<uint64_t>(static_cast<double>(count) * 1e9 / ns);
}

// The sum of what smaps_rollup says of huge pages.
Bytes HugePagesOf(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/smaps_rollup";
  const auto text = ReadFileAt(AT_FDCWD, path.c_str(), "reading " + path);
  if (!text) return {};
  uint64_t kib = 0;
  for (const char* key : {"\nAnonHugePages:", "\nPrivate_Hugetlb:", "\nShared_Hugetlb:"}) {
    const size_t at = text->find(key);
    if (at != std::string::npos) {
      kib += std::strtoull(text->c_str() + at + std::char_traits<char>::length(key), nullptr, 10);
    }
  }
  return KiB(kib);
}

// One survey of one target. What it has armed is released when it ends.
class Surveyor {
 public:
  Surveyor(const Target& target, const SaveOptions& options)
      : target_(target), memory_(StillMemoryOf(target)), planner_(target, options, false) {}
  ~Surveyor() {
    if (armed_) armed_->Release(nullptr);
  }

  Result<TargetSurvey> Run(Target& target) {
    survey_.pid = target.pid();
    survey_.available = AvailableMemory();
    survey_.huge = HugePagesOf(target.pid());
    STILLFRAME_TRY(planner_.Make({.hugetlb = true, .shared = false, .largest_page = MiB(2)}));
    STILLFRAME_ASSIGN(survey_.copied, BytesToCopy(memory_, planner_.plan()));
    SumUp();
    sample_ = std::make_unique<MemorySample>(planner_.plan());
    Connect();
    if (channel_ && HasManyFilePages(planner_.plan()))
      survey_.of_files = WatchableIn(planner_.plan());
    STILLFRAME_TRY(StandStill(target));
    if (armed_ && survey_.wp_obstacle.empty()) STILLFRAME_TRY(Watch());
    ReadSample();
    return std::move(survey_);
  }

 private:
  void SumUp() {
    for (const PlannedMapping& planned : planner_.plan()) {
      if (planned.treatment == Treatment::kSkip) continue;
      survey_.memory += planned.saved.size();
      if (planned.treatment == Treatment::kCopy) continue;
      const Mapping& mapping = planned.mapping;
      survey_.present += std::min(mapping.resident + mapping.swapped, planned.saved.size());
    }
  }
  // Without the mode in which the kernel itself opens what is written, nothing is armed: the target
  // would wait for us.
  void Connect() {
    if (target_.userfaultfd() < 0) return;
    auto channel = FaultChannel::ConnectAsync(target_.userfaultfd());
    if (!channel) {
      survey_.precopy_obstacle = "it needs Linux 6.7 or later";
      return;
    }
    channel_ = std::make_unique<FaultChannel>(*std::move(channel));
    armed_ = std::make_unique<ArmedMemory>(target_, *channel_);
  }

  Result<void> StandStill(Target& target) {
    const Clock& clock = MonotonicClock();
    STILLFRAME_TRY(target.Pause(kStopTimeout));
    const TimePoint begin = clock.Now();
    // What was mapped before may have changed: to register a part of a mapping would split it.
    Result<void> result = planner_.Refresh();
    if (result) sample_ = std::make_unique<MemorySample>(planner_.plan());
    const TimePoint looked = clock.Now();
    const Duration before = CpuTime();
    if (result) result = ArmSample();
    const Duration arming = CpuTime() - before;
    const TimePoint armed = clock.Now();
    STILLFRAME_TRY(target.Resume());
    armed_at_ = armed;
    survey_.look = looked - begin;
    survey_.stop = target.PauseDuration() - (armed - begin);
    if (sample_->present().count > 0) {
      survey_.arm_page = arming / static_cast<int64_t>(sample_->present().count);
    }
    survey_.sampled = sample_->present();
    return result;
  }

  Result<void> ArmSample() {
    if (!armed_) return sample_->NotePresent(target_.pagemap());
    std::vector<PlannedMapping> mappings = sample_->mappings();
    const Result<void> registered = armed_->Register(&mappings);
    const bool changed = std::any_of(
        mappings.begin(), mappings.end(),
        [](const PlannedMapping& planned) { return planned.treatment != Treatment::kArm; });
    if (registered && !changed) return sample_->Arm(target_.pagemap(), *channel_);
    // Somebody else's, or gone since the plan was made.
    if (!registered) survey_.wp_obstacle = registered.error().message;
    armed_->Release(nullptr);
    armed_.reset();
    return sample_->NotePresent(target_.pagemap());
  }

  Result<void> Watch() {
    const timespec watch{.tv_sec = 0, .tv_nsec = kWatch.count()};
    nanosleep(&watch, nullptr);
    STILLFRAME_ASSIGN(const Pages written, sample_->CountWritten(target_.pagemap()));
    const Duration watched = MonotonicClock().Now() - armed_at_;
    armed_->Release(nullptr);
    armed_.reset();
    if (sample_->present().count == 0) return {};
    const double share =
        static_cast<double>(written.count) / static_cast<double>(sample_->present().count);
    survey_.pages_written = PerSecond(
        static_cast<uint64_t>(share * static_cast<double>(ToPages(survey_.present).count)),
        watched);
    return {};
  }

  void ReadSample() {
    const Duration begin = CpuTime();
    const MemorySample::Contents contents = sample_->Read(memory_, kRead);
    const Duration time = CpuTime() - begin;
    survey_.read_per_second = PerSecond(ToBytes(contents.pages).count, time);
    if (contents.pages.count > 0) {
      survey_.zero_share =
          static_cast<double>(contents.zero.count) / static_cast<double>(contents.pages.count);
    }
  }

  const Target& target_;
  const StillMemory memory_;
  SavePlanner planner_;
  TargetSurvey survey_;
  std::unique_ptr<MemorySample> sample_;
  std::unique_ptr<FaultChannel> channel_;
  std::unique_ptr<ArmedMemory> armed_;
  TimePoint armed_at_;
};

}  // namespace

Result<SaveForecast> ForecastSave(pid_t pid, const SaveOptions& options) {
  STILLFRAME_TRY(CheckSaveOptions(options));
  std::string obstacle;
  auto target = AttachProcess(pid);
  if (!target && target.error().code == ErrorCode::kUnsupported) {
    // Without a userfaultfd two ways are left.
    obstacle = target.error().message;
    target = AttachProcess(pid, AttachOptionsFor(Via::kStop));
  }
  if (!target) return tl::unexpected(std::move(target).error());
  Result<TargetSurvey> survey = Surveyor(**target, options).Run(**target);
  (*target)->CloseUserfaultfd();
  if (!survey) return tl::unexpected(std::move(survey).error());
  if (survey->wp_obstacle.empty()) survey->wp_obstacle = obstacle;
  return ForecastFrom(*survey, options);
}

}  // namespace stillframe
