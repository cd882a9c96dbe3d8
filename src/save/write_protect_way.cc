#include "save/write_protect_way.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/fail_point.h"
#include "base/service_thread.h"
#include "region/rcu.h"
#include "save/late_audit.h"
#include "save/presence_audit.h"
#include "save/save_account.h"
#include "save/trace_head.h"
#include "save/unregistered_memory.h"
#include "save/wait_summary.h"
#include "save/without_exceptions.h"

namespace stillframe {
namespace {

// Fault slots that only our own threads may use when our own process is saved: more than the
// output's thread can touch new pages before it frees a slot.
constexpr size_t kSlotsForUs = 32;
// So many pages are written before a slot is free, and may be copied to new memory for that.
constexpr Pages kOwnRun{kSlotsForUs / 4};

// Memory that came since the registering is armed in the pause as long as it holds no more than
// this, at 20 to 40 us per MiB; more is worth another short stop.
constexpr Bytes kWorthRegistering = MiB(16);
constexpr int kMostRegistrations = 4;

Bytes BytesToSave(std::span<const PlannedMapping> plan) {
  Bytes size;
  for (const PlannedMapping& planned : plan) size += planned.saved.size();
  return size;
}

}  // namespace

WriteProtectWay::WriteProtectWay(SaveContext& context, std::unique_ptr<ThrottlePolicy> policy)
    : context_(context),
      policy_(std::move(policy)),
      memory_(StillMemoryOf(*context.target)),
      stage_(MakeMapped<Stage>(context.options.stage, context.is_self ? kSlotsForUs : 0)),
      full_stage_(context.options, *stage_),
      log_(MakeMapped<FaultLog>()),
      late_(context.options.instant == Instant::kLate ? std::make_unique<LateRounds>(context)
                                                      : nullptr),
      files_(context, [this] { return Check(); }) {}

Result<void> WriteProtectWay::Prepare() {
  const Target& target = *context_.target;
  if (late_) STILLFRAME_TRY(late_->Prepare());
  STILLFRAME_ASSIGN(channel_, FaultChannel::Connect(target.userfaultfd(), !context_.is_self));
  tracker_ = MakeMapped<FaultTracker>(
      *channel_, target, *stage_, *log_, context_.clock,
      FaultTracker::Options{.max_stall = context_.options.max_stall,
                            .discard_limit = context_.options.throttle.fault_limit});
  // Before anything is registered: from then on calls of the target wait until their events are
  // read.
  tracker_thread_.emplace(*channel_, *tracker_, *stage_, context_.options.tracker);
  armed_.emplace(target, *channel_);
  STILLFRAME_TRY(context_.planner.Make({.hugetlb = channel_->handles_shared(),
                                        .shared = context_.is_self && channel_->handles_shared(),
                                        .largest_page = std::min(MiB(2), stage_->size() / 4)}));
  STILLFRAME_TRY(full_stage_.Prepare(BytesToSave(context_.planner.plan())));
  if (context_.is_self) return PrepareOwn();
  STILLFRAME_TRY(CopyFiles());
  // Before any write has to wait: a ring that is used all the time is locked in between only.
  STILLFRAME_TRY(pinned_.Look(target, context_.planner.mappings()));
  STILLFRAME_TRY(RegisterAll());
  pre_arm_.emplace(PreArm::Parts{
      .target = target,
      .channel = *channel_,
      .tracker = *tracker_,
      .memory = *tracked_,
      .clock = context_.clock,
      .budget = context_.options.pause_limit / 16,
      .most_slowdown = std::min(PreArm::kMostSlowdown, context_.options.max_stall / 2),
      .check = [this] { return Check(); },
      .await_calls = [this] { return context_.target->AwaitSystemCalls(context_.HowToPause()); }});
  STILLFRAME_TRY(pre_arm_->ArmAll());
  files_.Claim(&context_.planner.plan());
  STILLFRAME_TRY(copies_.Reserve(memory_, context_.planner.plan(), AvailableMemory(),
                                 pinned_.size() + files_.expected()));
  return copies_.ReadAhead(memory_, context_.planner.plan(), AvailableMemory() / 2,
                           [this] { return Check(); });
}

Result<void> WriteProtectWay::BeforePause() {
  if (!pre_arm_) return {};
  if (late_) STILLFRAME_TRY(CopyEarly());
  STILLFRAME_TRY(files_.RunRounds());
  STILLFRAME_TRY(ArmEarly());
  PrearmSummary summary = pre_arm_->summary();
  summary.stopped = context_.summary.prearm.stopped;
  context_.summary.prearm = summary;
  return {};
}

Result<void> WriteProtectWay::ArmEarly() {
  for (int registrations = 1;; ++registrations) {
    STILLFRAME_TRY(pre_arm_->Converge());
    STILLFRAME_ASSIGN(const Bytes fresh, Unregistered(kWorthRegistering));
    if (fresh < kWorthRegistering || registrations == kMostRegistrations) break;
    STILLFRAME_TRY(RegisterMore());
  }
  // To look took a moment, in which the target wrote.
  return pre_arm_->converged() ? pre_arm_->Converge() : Result<void>();
}

Result<Bytes> WriteProtectWay::Unregistered(Bytes enough) {
  STILLFRAME_TRY(context_.planner.Refresh());
  armed_->LeaveRefused(&context_.planner.plan());
  return UnregisteredMemory(*context_.target, context_.planner.plan(), *tracked_, enough);
}

Result<void> WriteProtectWay::RegisterMore() {
  STILLFRAME_TRY(WhileStopped([&]() -> Result<void> {
    STILLFRAME_TRY(armed_->RegisterAnew(&context_.planner.plan()));
    TakeOver(armed_->BringUpToDate(context_.planner.plan(), tracked_));
    pre_arm_->SetMemory(*tracked_);
    return {};
  }));
  FailPoint("prearm.registered-more");
  STILLFRAME_TRY(ExpectEarlyPages());
  // What was read of the target before went with this stop.
  return context_.target->PrepareState();
}

void WriteProtectWay::TakeOver(MappedPtr<TrackedMemory> now) {
  tracker_->SetMemory(now.get());
  tracker_->AwaitTurn();
  early_ = std::exchange(tracked_, std::move(now));
  if (early_) ArmedMemory::CatchUp(*early_, tracked_.get());
}

Result<void> WriteProtectWay::CopyEarly() {
  const LateRounds::Registrar registrar{
      .unregistered = [this](Bytes enough) { return Unregistered(enough); },
      .register_more = [this]() -> Result<TrackedMemory*> {
        STILLFRAME_TRY(RegisterMore());
        return tracked_.get();
      }};
  const Result<void> copied =
      late_->Run(*pre_arm_, tracked_.get(), registrar, [this] { return Check(); });
  if (!copied) {
    // Why memory is gone is told better by whoever owns it.
    STILLFRAME_TRY(context_.target->CheckAlive());
    return copied;
  }
  // What was read of the target before is of long ago by now.
  PinnedMemory rings;
  if (rings.Look(*context_.target, context_.planner.mappings())) pinned_ = std::move(rings);
  return context_.target->PrepareState();
}

Result<void> WriteProtectWay::CopyFiles() {
  STILLFRAME_TRY(files_.Prepare());
  if (!files_.active()) return {};
  STILLFRAME_TRY(WhileStopped([&] { return files_.Register(context_.planner.plan()); }));
  FailPoint("files.registered");
  STILLFRAME_TRY(ExpectEarlyPages());
  return files_.RunRounds();
}

Result<void> WriteProtectWay::RegisterAll() {
  const Result<void> registered = WhileStopped([&]() -> Result<void> {
    STILLFRAME_TRY(files_.Register(context_.planner.plan()));
    STILLFRAME_TRY(armed_->Register(&context_.planner.plan()));
    tracked_ = armed_->MakeTracked(context_.planner.plan());
    tracker_->SetMemory(tracked_.get());
    tracker_->SetMode(FaultTracker::Mode::kArming);
    return {};
  });
  FailPoint("prearm.registered");
  STILLFRAME_TRY(registered);
  return ExpectEarlyPages();
}

Result<void> WriteProtectWay::ExpectEarlyPages() {
  if (!late_ && !files_.active()) return {};
  return context_.ExpectPages(Expectation::kSoFar);
}

Result<void> WriteProtectWay::WhileStopped(const std::function<Result<void>()>& body) {
  Target& target = *context_.target;
  STILLFRAME_TRY(target.Pause(context_.HowToPause()));
  const Result<void> done = WithoutExceptions("while memory was registered", [&]() -> Result<void> {
    STILLFRAME_TRY(context_.planner.Refresh());
    return body();
  });
  const Result<void> resumed = target.Resume();
  context_.summary.prearm.stopped += target.PauseDuration();
  STILLFRAME_TRY(done);
  return resumed;
}

Result<void> WriteProtectWay::PrepareOwn() {
  std::vector<PlannedMapping>& plan = context_.planner.plan();
  STILLFRAME_TRY(armed_->Register(&plan));
  const auto refused = std::find_if(plan.begin(), plan.end(), [](const PlannedMapping& planned) {
    return planned.treatment == Treatment::kCopy;
  });
  if (refused != plan.end()) {
    return Fail(ErrorCode::kUnsupported,
                "a range of this process can't be write-protected: " + refused->mapping.name,
                "leave out file mappings and memory that another process maps too");
  }
  STILLFRAME_TRY(context_.CaptureState());
  tracked_ = armed_->MakeTracked(plan);
  // Already, as nothing of that changes until the end: after the instant the sink belongs to the
  // output's thread, and before it whatever the sink allocates is not armed.
  STILLFRAME_TRY(context_.ExpectPages(Expectation::kSettled));
  StartPump();
  tracker_->AddOwnThread(gettid());
  tracker_->AddOwnThread(pump_->tid());
  if (full_stage_.tid() != 0) tracker_->AddOwnThread(full_stage_.tid());
  return {};
}

Result<void> WriteProtectWay::WhilePaused() {
  STILLFRAME_TRY(ArmTheRest());
  if (!context_.is_self) {
    const TimePoint begin = context_.clock.Now();
    STILLFRAME_TRY(CopyTheRest());
    context_.summary.paused.copy = context_.clock.Now() - begin;
    STILLFRAME_TRY(context_.CaptureState());
  }
  return context_.CallAtInstant();
}

Result<void> WriteProtectWay::ArmTheRest() {
  std::vector<PlannedMapping>& plan = context_.planner.plan();
  const TimePoint begin = context_.clock.Now();
  if (context_.is_self) {
    // Everyone who could write stands still, and the kernel's workers are not worth a deadlock.
    tracker_->SetMemory(tracked_.get());
    tracker_->SetMode(FaultTracker::Mode::kServing);
  } else {
    tracker_->SetMode(FaultTracker::Mode::kHolding);
    // All that the target caused by now is in the log.
    tracker_->AwaitTurn();
    STILLFRAME_TRY(context_.planner.Refresh());
    STILLFRAME_TRY(armed_->Register(&plan));
    TakeOver(armed_->BringUpToDate(plan, tracked_));
  }
  STILLFRAME_TRY(armed_->Arm(plan, tracked_.get()));
  context_.summary.paused.arm = context_.clock.Now() - begin;
  return {};
}

Result<void> WriteProtectWay::CopyTheRest() {
  const auto cancelled = [this] { return context_.IsCancelled(); };
  files_.Claim(&context_.planner.plan());
  STILLFRAME_TRY(copies_.Take(memory_, context_.planner.plan(), cancelled));
  STILLFRAME_ASSIGN(const std::vector<AddressRange> pinned,
                    pinned_.Find(*context_.target, context_.planner.mappings()));
  STILLFRAME_ASSIGN(const std::vector<AddressRange> of_files, files_.FindRest(pinned));
  for (const AddressRange pages : of_files) {
    STILLFRAME_TRY(copies_.TakePages(memory_, pages, cancelled));
  }
  if (late_) late_->ForgetPinned(pinned, *tracked_);
  for (const AddressRange pages : SettlePinned(pinned, tracked_.get())) {
    STILLFRAME_TRY(copies_.TakePages(memory_, pages, cancelled));
  }
  return {};
}

void WriteProtectWay::BeforeResume(bool good) {
  // Faults are served from just before the first thread runs.
  tracker_->SetMode(good ? FaultTracker::Mode::kServing : FaultTracker::Mode::kOpening);
}

void WriteProtectWay::StartPump() {
  pump_.emplace(tracked_->regions, *stage_, full_stage_.spill(), copies_, *context_.sink,
                context_.pacer, context_.is_self ? kOwnRun : OutputPump::kLongestRun);
  pump_->Start(tracker_thread_->nice_of_others());
  full_stage_.Start();
}

Result<void> WriteProtectWay::SavePages() {
  context_.pages_to_do.store(
      (tracked_->ledger.present.CountSet() + copies_.pages() + files_.done()).count,
      std::memory_order_relaxed);
  FillTraceHead(context_.options, *tracked_);
  if (context_.options.trace != nullptr) context_.options.trace->start = context_.resumed;
  if (!pump_) StartPump();
  saver_ = MakeMapped<LinearSaver>(LinearSaver::Parts{.target = *context_.target,
                                                      .channel = *channel_,
                                                      .memory = *tracked_,
                                                      .tracker = *tracker_,
                                                      .stage = *stage_,
                                                      .log = *log_,
                                                      .policy = *policy_,
                                                      .sink = *context_.sink,
                                                      .clock = context_.clock});
  running_saver_.store(saver_.get(), std::memory_order_release);
  const Result<void> scanned = Scan();
  // An output that failed is the reason to tell, whatever else came of it.
  if (pump_->failed()) return pump_->Finish();
  STILLFRAME_TRY(scanned);
  // Of a target that is gone nothing more can be asked; what was saved of it is as good.
  if (const auto unseen = NoteUnseenPages(*context_.target, tracked_.get())) {
    tracked_->lost.fetch_add(unseen->count, std::memory_order_relaxed);
  }
  if (late_) {
    STILLFRAME_ASSIGN(const Pages doubtful, DropDoubtfulCopies(*context_.target, tracked_.get()));
    // Of memory that was gone by then nothing could be doubted.
    STILLFRAME_TRY(context_.target->CheckAlive());
    tracked_->lost.fetch_add(doubtful.count, std::memory_order_relaxed);
  }
  return Check();
}

Result<void> WriteProtectWay::Scan() {
  const auto check = [this] { return Check(); };
  const int nice = tracker_thread_->nice_of_others();
  // A caller whose priority was lowered could not raise it again. In our own process a new thread
  // would be one more that has to be told to the tracker; there the scan runs as the caller does.
  if (nice == 0 || context_.is_self) return saver_->Run(check);
  Result<void> scanned;
  ServiceThread thread("scan", nice, [&] {
    const RcuThread rcu;
    scanned = WithoutExceptions("while scanning", [&] { return saver_->Run(check); });
  });
  thread.join();
  return scanned;
}

Result<void> WriteProtectWay::Check() {
  STILLFRAME_TRY(context_.CheckCancelled());
  if (pump_ && pump_->failed()) return Fail(ErrorCode::kOutput, "the output failed");
  if (tracker_->found_no_room()) return full_stage_.WhyGivenUp();
  if (tracker_->gave_up()) {
    return Fail(
        ErrorCode::kLimit,
        "a write of the target waited longer than " +
            std::to_string(Microseconds(context_.options.max_stall)) +
            (tracker_->stage_full() > 0 ? " us for room in the stage" : " us to be looked after") +
            ": the save was given up",
        "a faster output, a larger --stage or a longer --max-stall");
  }
  const uint64_t lost = tracked_ ? tracked_->lost.load(std::memory_order_relaxed) : 0;
  if (lost == lost_checked_) return {};
  lost_checked_ = lost;
  STILLFRAME_TRY(context_.target->CheckAlive());
  if (context_.options.on_lost == OnLost::kAbort) {
    return Fail(ErrorCode::kLimit,
                "pages of the target went away before they could be saved: the save was given up",
                "--on-lost keep saves the rest and lists them");
  }
  return {};
}

void WriteProtectWay::Release() {
  if (!tracker_) return;
  tracker_->SetMode(FaultTracker::Mode::kOpening);
  if (armed_) armed_->Release(tracked_.get());
  files_.Release();
  tracker_thread_.reset();
}

Result<std::vector<RangeReason>> WriteProtectWay::Finish() {
  full_stage_.Stop();
  STILLFRAME_TRY(pump_->Finish());
  return AccountForRest(*tracked_, copies_, context_.sink.get());
}

void WriteProtectWay::End() {
  full_stage_.Stop();
  pump_.reset();
}

void WriteProtectWay::Interrupt() {
  log_->Interrupt();
  stage_->WakeAll();
}

std::vector<AddressRange> WriteProtectWay::Unreadable() const {
  return {copies_.unreadable().begin(), copies_.unreadable().end()};
}

void WriteProtectWay::AddTo(SaveSummary* summary) const {
  summary->instant = context_.options.instant;
  summary->tracker = context_.options.tracker;
  if (late_) late_->AddTo(summary);
  files_.AddTo(summary);
  if (!tracker_) return;
  summary->wait = SummaryOf(tracker_->waits());
  summary->policy = policy_->name();
  summary->throttle = policy_->counters();
  summary->stage_size = stage_->size();
  summary->stage_peak = stage_->peak();
  summary->stage_full = tracker_->stage_full();
  summary->stage_spilled = full_stage_.spilled();
  summary->unmaps = tracker_->unmaps();
}

void WriteProtectWay::AddTo(SaveProgress* progress) const {
  const LinearSaver* saver = running_saver_.load(std::memory_order_acquire);
  if (saver == nullptr) {
    if (late_) progress->done = late_->done();
    return;
  }
  const SinkCounters pages = context_.sink->counters();
  progress->done = pages.zero + pages.scanned + pages.faulted + pages.paused;
  progress->faults = log_->arrivals();
  progress->stage_used = stage_->used();
  progress->holding_back = saver->holding_back();
}

}  // namespace stillframe
