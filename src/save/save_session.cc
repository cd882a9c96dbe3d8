// The session: what happens between attaching and the last page.
#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <ctime>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/fail_point.h"
#include "fault/fault_channel.h"
#include "fault/fault_log.h"
#include "region/rcu.h"
#include "save/armed_memory.h"
#include "save/linear_saver.h"
#include "save/mapping_details.h"
#include "save/output_pacer.h"
#include "save/output_pump.h"
#include "save/paused_copy.h"
#include "save/save_account.h"
#include "save/save_options.h"
#include "save/save_plan.h"
#include "save/tracker_thread.h"
#include "stillframe/save.h"
#include "sys/proc_file.h"
#include "track/fault_tracker.h"
#include "track/stage.h"

namespace stillframe {
namespace {

// Fault slots that only our own threads may use when our own process is saved: more than the
// output's thread can touch new pages before it frees a slot.
constexpr size_t kSlotsForUs = 32;

uint64_t UnixNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

uint64_t Microseconds(Duration duration) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

class Session final : public SaveSession {
 public:
  Session(std::unique_ptr<Target> target, std::unique_ptr<PageSink> sink, SaveOptions options,
          std::unique_ptr<ThrottlePolicy> policy)
      : target_(std::move(target)),
        sink_(std::move(sink)),
        options_(std::move(options)),
        policy_(std::move(policy)),
        is_self_(target_->pid() == getpid()),
        stage_(MakeMapped<Stage>(options_.stage, is_self_ ? kSlotsForUs : 0)),
        log_(MakeMapped<FaultLog>()),
        pacer_(options_.max_bandwidth, clock_) {
    if (options_.max_bandwidth.count > 0) {
      sink_->SetPacer([this](Bytes bytes) { return pacer_.Before(bytes); }, pacer_.LargestWrite());
    }
  }

  Result<SaveSummary> Run() override;
  void Cancel() override;
  SaveProgress Progress() const override;

 private:
  // Everything that can be done before the pause.
  Result<void> Prepare();
  Result<uint64_t> Filter() const;
  Result<std::vector<PlannedMapping>> MakePlan(const std::vector<Mapping>& mappings) const;
  // The pause: from the first thread asked to stop to the last one resumed.
  Result<void> TakeInstant();
  // What is done while the target stands still. In our own process nothing here may allocate.
  Result<void> WhilePaused();
  Result<void> RefreshPlan();
  Result<void> SavePages();
  void StartPump();
  // Asked between runs: an error ends the save.
  Result<void> Check();
  // The target runs on as if we had never been.
  void ReleaseTarget();
  Result<void> Publish();
  SaveSummary Summarize() const;

  const Clock& clock_ = MonotonicClock();
  std::unique_ptr<Target> target_;
  std::unique_ptr<PageSink> sink_;
  const SaveOptions options_;
  std::unique_ptr<ThrottlePolicy> policy_;
  const bool is_self_;
  MappedPtr<Stage> stage_;
  MappedPtr<FaultLog> log_;
  OutputPacer pacer_;

  std::optional<FaultChannel> channel_;
  std::optional<ArmedMemory> armed_;
  MappedPtr<FaultTracker> tracker_;
  std::optional<TrackerThread> tracker_thread_;
  std::vector<Mapping> mappings_;
  std::vector<PlannedMapping> plan_;
  std::set<FileId> mapped_by_others_;
  MappedPtr<TrackedMemory> tracked_;
  PausedCopies copies_;
  std::optional<OutputPump> pump_;
  MappedPtr<LinearSaver> saver_;

  ImageMetadata metadata_;
  SaveSummary summary_;
  TimePoint started_;
  uint64_t lost_checked_ = 0;

  // Read by Progress and written by Cancel, from any thread.
  std::atomic<bool> cancelled_ = false;
  std::atomic<SavePhase> phase_ = SavePhase::kAttaching;
  std::atomic<const LinearSaver*> running_saver_ = nullptr;
  std::atomic<uint64_t> pages_to_do_ = 0;
  std::atomic<int64_t> started_ns_ = 0;
};

Result<SaveSummary> Session::Run() {
  const RcuThread rcu;
  started_ = clock_.Now();
  started_ns_.store(started_.time_since_epoch().count(), std::memory_order_relaxed);
  Result<void> result = Prepare();
  if (result) result = TakeInstant();
  if (result) result = SavePages();
  if (!result) {
    // Whatever blocks on the output must not hold up the release.
    sink_->Interrupt();
    pacer_.Interrupt();
  }
  ReleaseTarget();
  if (result) result = Publish();
  phase_.store(SavePhase::kDone, std::memory_order_relaxed);
  pump_.reset();
  if (!result) {
    sink_.reset();  // nothing is left behind
    return tl::unexpected(result.error());
  }
  return Summarize();
}

Result<void> Session::Prepare() {
  STILLFRAME_TRY(target_->CheckAlive());
  STILLFRAME_ASSIGN(channel_, FaultChannel::Connect(target_->userfaultfd()));
  tracker_ = MakeMapped<FaultTracker>(
      *channel_, *target_, *stage_, *log_, clock_,
      FaultTracker::Options{.max_stall = options_.max_stall,
                            .discard_limit = options_.throttle.fault_limit});
  // Before anything is registered: from then on calls of the target wait until their events are
  // read.
  tracker_thread_.emplace(*channel_, *tracker_, *stage_);
  armed_.emplace(*target_, *channel_);
  STILLFRAME_ASSIGN(metadata_.filter, Filter());
  STILLFRAME_ASSIGN(mappings_, target_->ReadMappings(true));
  mapped_by_others_ = FilesMappedByOthers(target_->pid(), SharedFiles(mappings_));
  STILLFRAME_ASSIGN(plan_, MakePlan(mappings_));
  if (is_self_) {
    STILLFRAME_TRY(armed_->Register(&plan_));
    const auto refused = std::find_if(
        plan_.begin(), plan_.end(),
        [](const PlannedMapping& planned) { return planned.treatment == Treatment::kCopy; });
    if (refused != plan_.end()) {
      return Fail(ErrorCode::kUnsupported,
                  "a range of this process can't be write-protected: " + refused->mapping.name,
                  "leave out file mappings and memory that another process maps too");
    }
    STILLFRAME_ASSIGN(metadata_.process, target_->CaptureState());
    tracked_ = armed_->MakeTracked(plan_);
    StartPump();
    tracker_->AddOwnThread(gettid());
    tracker_->AddOwnThread(pump_->tid());
  }
  utsname system{};
  uname(&system);
  metadata_.kernel = system.release;
  metadata_.host = system.nodename;
  return {};
}

Result<uint64_t> Session::Filter() const {
  if (is_self_) return ~uint64_t{0};  // the caller named the ranges
  if (options_.filter) return *options_.filter;
  const std::string path = "/proc/" + std::to_string(target_->pid()) + "/coredump_filter";
  STILLFRAME_ASSIGN(const std::string text, ReadFileAt(AT_FDCWD, path.c_str(), "reading " + path));
  uint64_t filter = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), filter, 16).ec != std::errc()) {
    return Fail(ErrorCode::kInternal, "'" + path + "' holds no mask");
  }
  return filter;
}

Result<std::vector<PlannedMapping>> Session::MakePlan(const std::vector<Mapping>& mappings) const {
  PlanRules rules;
  rules.filter = metadata_.filter;
  rules.include_dontdump = options_.include_dontdump || is_self_;
  rules.can_arm_hugetlb = channel_->handles_shared();
  rules.arm_shared = is_self_ && channel_->handles_shared();
  rules.largest_page = std::min(MiB(2), stage_->size() / 4);
  rules.mapped_by_others = mapped_by_others_;
  rules.is_elf = [this](TargetAddress address) {
    char magic[4] = {};
    const iovec to{.iov_base = magic, .iov_len = sizeof(magic)};
    const ReadOutcome read = target_->Read(address, {&to, 1});
    return read.copied == Bytes{sizeof(magic)} && std::string_view(magic, 4) == "\177ELF";
  };
  return PlanMappings(mappings, rules);
}

Result<void> Session::TakeInstant() {
  phase_.store(SavePhase::kPausing, std::memory_order_relaxed);
  STILLFRAME_TRY(Check());
  STILLFRAME_TRY(
      target_->Pause(PauseOptions{.stop_timeout = options_.stop_timeout, .cancelled = [this] {
                                    return cancelled_.load(std::memory_order_relaxed);
                                  }}));
  const Result<void> result = WhilePaused();
  // Faults are served from just before the first thread runs.
  tracker_->SetMode(result ? FaultTracker::Mode::kServing : FaultTracker::Mode::kOpening);
  const Result<void> resumed = target_->Resume();
  summary_.pause = target_->PauseDuration() - summary_.at_instant;
  FailPoint("save.resumed");
  STILLFRAME_TRY(result);
  return resumed;
}

Result<void> Session::WhilePaused() {
  metadata_.instant_unix_ns = UnixNanoseconds();
  if (!is_self_) {
    STILLFRAME_TRY(target_->CheckAlive());
    STILLFRAME_TRY(RefreshPlan());
    tracked_ = armed_->MakeTracked(plan_);
  }
  tracker_->SetMemory(tracked_.get());
  // In our own process everyone who could write stands still, and the kernel's workers are not
  // worth a deadlock.
  tracker_->SetMode(is_self_ ? FaultTracker::Mode::kServing : FaultTracker::Mode::kHolding);
  STILLFRAME_TRY(armed_->Arm(plan_, tracked_.get()));
  if (!is_self_) {
    STILLFRAME_ASSIGN(copies_, PausedCopies::Take(*target_, plan_));
    STILLFRAME_ASSIGN(metadata_.process, target_->CaptureState());
  }
  if (options_.at_instant) {
    const TimePoint begin = clock_.Now();
    const Result<void> called = options_.at_instant(target_->pid());
    summary_.at_instant = clock_.Now() - begin;
    STILLFRAME_TRY(called);
  }
  return {};
}

Result<void> Session::RefreshPlan() {
  STILLFRAME_ASSIGN(std::vector<Mapping> now, target_->ReadMappings(false));
  if (!CarryDetails(mappings_, &now)) {
    STILLFRAME_ASSIGN(now, target_->ReadMappings(true));
    mapped_by_others_ = FilesMappedByOthers(target_->pid(), SharedFiles(now));
  }
  mappings_ = std::move(now);
  STILLFRAME_ASSIGN(plan_, MakePlan(mappings_));
  return armed_->Register(&plan_);
}

void Session::StartPump() {
  pump_.emplace(tracked_->regions, *stage_, copies_, *sink_, pacer_);
  pump_->Start();
}

Result<void> Session::SavePages() {
  phase_.store(SavePhase::kSaving, std::memory_order_relaxed);
  pages_to_do_.store((tracked_->ledger.present.CountSet() + copies_.pages()).count,
                     std::memory_order_relaxed);
  if (!pump_) StartPump();
  saver_ = MakeMapped<LinearSaver>(LinearSaver::Parts{.target = *target_,
                                                      .channel = *channel_,
                                                      .memory = *tracked_,
                                                      .tracker = *tracker_,
                                                      .stage = *stage_,
                                                      .log = *log_,
                                                      .policy = *policy_,
                                                      .sink = *sink_,
                                                      .clock = clock_});
  running_saver_.store(saver_.get(), std::memory_order_release);
  const Result<void> scanned = saver_->Run([this] { return Check(); });
  // An output that failed is the reason to tell, whatever else came of it.
  if (pump_->failed()) return pump_->Finish();
  return scanned;
}

Result<void> Session::Check() {
  if (cancelled_.load(std::memory_order_acquire))
    return Fail(ErrorCode::kInterrupted, "interrupted");
  if (pump_ && pump_->failed()) return Fail(ErrorCode::kOutput, "the output failed");
  if (tracker_->gave_up()) {
    return Fail(
        ErrorCode::kLimit,
        "a write of the target waited longer than " +
            std::to_string(Microseconds(options_.max_stall)) +
            (tracker_->stage_full() > 0 ? " us for room in the stage" : " us to be looked after") +
            ": the image was given up",
        "a faster output, a larger --stage or a longer --max-stall");
  }
  const uint64_t lost = tracked_ ? tracked_->lost.load(std::memory_order_relaxed) : 0;
  if (lost == lost_checked_) return {};
  lost_checked_ = lost;
  STILLFRAME_TRY(target_->CheckAlive());
  if (options_.on_lost == OnLost::kAbort) {
    return Fail(ErrorCode::kLimit,
                "pages of the target went away before they could be saved: the image was given up",
                "--on-lost keep writes an image that lists them");
  }
  return {};
}

void Session::ReleaseTarget() {
  if (!tracker_) return;
  phase_.store(SavePhase::kFinishing, std::memory_order_relaxed);
  tracker_->SetMode(FaultTracker::Mode::kOpening);
  if (armed_) armed_->Release(tracked_.get());
  tracker_thread_.reset();
  // Only this is certain: a mapping may have moved while it was being released. Before the rest is
  // written, which may take long.
  target_->CloseUserfaultfd();
  FailPoint("uffd.close");
}

Result<void> Session::Publish() {
  STILLFRAME_TRY(pump_->Finish());
  STILLFRAME_ASSIGN(summary_.lost, AccountForRest(*tracked_, copies_, sink_.get()));
  if (!summary_.lost.empty() && options_.on_lost == OnLost::kAbort) {
    return Fail(ErrorCode::kLimit, "pages of the target were lost: the image was given up",
                "--on-lost keep writes an image that lists them");
  }
  metadata_.mappings = SavedMappings(plan_);
  metadata_.skipped = SkippedRanges(plan_, copies_);
  metadata_.pause_ns = static_cast<uint64_t>(summary_.pause.count());
  if (cancelled_.load(std::memory_order_acquire))
    return Fail(ErrorCode::kInterrupted, "interrupted");
  return sink_->Finish(metadata_);
}

SaveSummary Session::Summarize() const {
  SaveSummary summary = summary_;
  summary.pid = target_->pid();
  summary.attach = target_->AttachDuration();
  summary.duration = clock_.Now() - started_;
  summary.pages = sink_->counters();
  for (const SavedMapping& mapping : metadata_.mappings) summary.memory += mapping.saved.size();
  summary.total = ToPages(summary.memory);
  summary.image = summary.pages.written;
  const LatencyHistogram& waits = tracker_->waits();
  summary.wait = {.count = waits.count(),
                  .p50 = Microseconds(waits.Quantile(0.5)),
                  .p99 = Microseconds(waits.Quantile(0.99)),
                  .p999 = Microseconds(waits.Quantile(0.999)),
                  .max = Microseconds(waits.max())};
  summary.policy = policy_->name();
  summary.throttle = policy_->counters();
  summary.stage_size = stage_->size();
  summary.stage_peak = stage_->peak();
  summary.stage_full = tracker_->stage_full();
  summary.unmaps = tracker_->unmaps();
  summary.skipped = metadata_.skipped;
  summary.skipped_much = SkippedMuch(plan_);
  return summary;
}

void Session::Cancel() {
  cancelled_.store(true, std::memory_order_release);
  sink_->Interrupt();
  pacer_.Interrupt();
  log_->Interrupt();
  stage_->WakeAll();
}

SaveProgress Session::Progress() const {
  SaveProgress progress;
  progress.phase = phase_.load(std::memory_order_relaxed);
  const int64_t started = started_ns_.load(std::memory_order_relaxed);
  if (started != 0) progress.elapsed = clock_.Now() - TimePoint(Duration(started));
  progress.total = Pages{pages_to_do_.load(std::memory_order_relaxed)};
  const LinearSaver* saver = running_saver_.load(std::memory_order_acquire);
  if (saver == nullptr || progress.phase == SavePhase::kDone) return progress;
  const SinkCounters pages = sink_->counters();
  progress.done =
      std::min(progress.total, pages.zero + pages.scanned + pages.faulted + pages.paused);
  progress.written = pages.written;
  progress.faults = log_->arrivals();
  progress.stage_used = stage_->used();
  progress.holding_back = saver->holding_back();
  return progress;
}

}  // namespace

Result<std::unique_ptr<SaveSession>> SaveSession::Create(std::unique_ptr<Target> target,
                                                         std::unique_ptr<PageSink> sink,
                                                         SaveOptions options) {
  STILLFRAME_TRY(CheckSaveOptions(options));
  STILLFRAME_ASSIGN(auto policy, MakeThrottlePolicy(options.throttle));
  return std::make_unique<Session>(std::move(target), std::move(sink), std::move(options),
                                   std::move(policy));
}

}  // namespace stillframe
