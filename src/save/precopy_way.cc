#include "save/precopy_way.h"

#include <algorithm>

#include "base/fail_point.h"
#include "save/file_release.h"
#include "save/paused_output.h"
#include "save/without_exceptions.h"

namespace stillframe {
namespace {

// The target's mmap lock is held for the walk of that much at a time, while it runs.
constexpr Bytes kScanStep = MiB(256);
constexpr Bytes kWholeMapping{UINT64_MAX};
// Mappings that came during the rounds are copied in the pause as long as they hold no more than
// this; larger ones are worth another short pause, to register them as well.
constexpr Bytes kWorthRegistering = MiB(16);
constexpr int kMostRegistrations = 4;
constexpr AddressRange kEverything{{0}, {UINT64_MAX}};

}  // namespace

PrecopyWay::PrecopyWay(SaveContext& context)
    : context_(context),
      memory_(StillMemoryOf(*context.target)),
      watch_(context.target->pagemap()),
      proof_(watch_, copied_),
      saver_(*context.sink, context.pacer, PageSource::kScanned),
      rounds_({.memory = memory_,
               .watch = watch_,
               .saver = saver_,
               .copied = copied_,
               .clock = context.clock,
               .check = [this] { return context_.CheckCancelled(); },
               .await_calls =
                   [this] { return context_.target->AwaitSystemCalls(context_.HowToPause()); }}) {}

Result<void> PrecopyWay::Prepare() {
  if (!channel_) STILLFRAME_TRY(Connect());
  STILLFRAME_TRY(context_.sink->AllowRepeats());
  // To read the details of mappings again would walk over all memory.
  if (before_ != Copies::kNone) return context_.planner.Refresh();
  return context_.planner.Make({.private_files = true});
}

void PrecopyWay::BeginAnew(bool hold) {
  if (context_.planner.mappings().empty()) return;  // the one before did not come to anything
  before_ = hold ? Copies::kHold : Copies::kDropped;
  if (!hold) copied_.Clear();
  saver_.BeginAnew();
  rounds_.BeginAnew();
  round_count_ = 0;
}

Result<void> PrecopyWay::BeforePause() {
  PrecopyPace pace(context_.options.pause_limit);
  const Result<PrecopyPace::Verdict> verdict = RunRounds(&pace);
  if (!verdict) {
    // Why memory is gone is told better by whoever owns it.
    STILLFRAME_TRY(context_.target->CheckAlive());
    return tl::unexpected(verdict.error());
  }
  if (*verdict != PrecopyPace::Verdict::kFits &&
      context_.options.over_pause_limit == OverPauseLimit::kAbort) {
    return Fail(ErrorCode::kLimit,
                "the target writes so much, or has so much memory to look through, that rounds "
                "don't make the pause fit its limit: the save was given up",
                "a longer --pause-limit, --over-pause-limit keep, or --via wp");
  }
  // What was prepared before the rounds went with the first pause, which was for registering.
  return context_.target->PrepareState();
}

Result<void> PrecopyWay::Connect() {
  auto channel = FaultChannel::ConnectAsync(context_.target->userfaultfd());
  if (!channel) {
    Error error = std::move(channel).error();
    error.hint = "saving via precopy needs Linux 6.7 or later: --via wp";
    return tl::unexpected(std::move(error));
  }
  channel_ = *std::move(channel);
  armed_.emplace(*context_.target, *channel_);
  return {};
}

Result<std::vector<AddressRange>> PrecopyWay::Register() {
  Target& target = *context_.target;
  STILLFRAME_TRY(target.Pause(context_.HowToPause()));
  std::vector<AddressRange> fresh;
  const Result<void> done = WithoutExceptions("while memory was registered", [&]() -> Result<void> {
    STILLFRAME_TRY(context_.planner.Refresh());
    STILLFRAME_ASSIGN(fresh, armed_->RegisterUnwatched(&context_.planner.plan(), watch_));
    return {};
  });
  const Result<void> resumed = target.Resume();
  context_.summary.prearm.stopped += target.PauseDuration();
  FailPoint("precopy.registered");
  STILLFRAME_TRY(done);
  STILLFRAME_TRY(resumed);
  for (const AddressRange range : fresh) copied_.Remove(range);
  return fresh;
}

Result<std::vector<AddressRange>> PrecopyWay::BeginRounds() {
  if (before_ == Copies::kDropped) {
    STILLFRAME_TRY(Register());
    return std::vector<AddressRange>{kEverything};
  }
  if (before_ == Copies::kNone) return Register();
  STILLFRAME_TRY(context_.ExpectPages(Expectation::kSoFar));
  // As if all of it held: of what doesn't the sink is told again.
  for (const PlannedMapping& planned : context_.planner.plan()) {
    if (planned.treatment != Treatment::kArm) continue;
    STILLFRAME_TRY(context_.sink->InParent(planned.saved));
  }
  STILLFRAME_ASSIGN(const Outlook outlook, LookAhead());
  if (outlook.unwatched > kWorthRegistering) return Register();
  return std::vector<AddressRange>();
}

Result<PrecopyPace::Verdict> PrecopyWay::RunRounds(PrecopyPace* pace) {
  STILLFRAME_ASSIGN(std::vector<AddressRange> fresh, BeginRounds());
  context_.pages_to_do.store(ExpectedPages(context_.planner.plan()).count,
                             std::memory_order_relaxed);
  auto verdict = PrecopyPace::Verdict::kGoOn;
  Outlook outlook;
  STILLFRAME_TRY(context_.ExpectPages(Expectation::kSoFar));
  for (int registrations = 1;;) {
    STILLFRAME_TRY(CopyOnce(fresh));
    fresh.clear();
    STILLFRAME_ASSIGN(outlook, LookAhead());
    verdict = pace->AfterRound(outlook.pause, rounds_.ReadTime(ToPages(outlook.to_copy)));
    if (outlook.unwatched > kWorthRegistering && registrations < kMostRegistrations &&
        pace->rounds() < PrecopyPace::kMostRounds) {
      STILLFRAME_ASSIGN(fresh, Register());
      STILLFRAME_TRY(context_.ExpectPages(Expectation::kSoFar));
      ++registrations;
      continue;
    }
    if (verdict != PrecopyPace::Verdict::kGoOn) break;
  }
  round_count_ = pace->rounds();
  // A half more where there is room: the target runs on until it is stopped.
  const bool room = outlook.to_copy * 2 < AvailableMemory();
  const Pages more = ToPages(outlook.to_copy + (room ? outlook.to_copy / 2 : Bytes{0}));
  STILLFRAME_TRY(
      copies_.Reserve(memory_, context_.planner.plan(), AvailableMemory(), ToBytes(more)));
  STILLFRAME_TRY(copies_.ReadAhead(memory_, context_.planner.plan(), AvailableMemory() / 2,
                                   [this] { return context_.CheckCancelled(); }));
  return verdict;
}

Result<void> PrecopyWay::CopyOnce(std::span<const AddressRange> fresh) {
  STILLFRAME_TRY(LookAtPinned());
  STILLFRAME_TRY(rounds_.Copy(context_.planner.plan(), fresh));
  // Those that were registered while pages were armed.
  return LookAtPinned();
}

Result<void> PrecopyWay::LookAtPinned() {
  const auto looked = pinned_.Look(*context_.target, context_.planner.mappings(),
                                   [this] { return context_.CheckCancelled(); });
  pinned_.Distrust(&copied_);
  return looked;
}

Result<PrecopyWay::Outlook> PrecopyWay::LookAhead() {
  Outlook outlook;
  const TimePoint begin = context_.clock.Now();
  STILLFRAME_TRY(context_.planner.Refresh());
  // To try it again is worth no stop.
  armed_->LeaveRefused(&context_.planner.plan());
  STILLFRAME_TRY(FindDoubts(
      kScanStep, {.copy = [&](AddressRange range) { outlook.to_copy += range.size(); },
                  .zero = [](AddressRange) {},
                  .unwatched = [&](AddressRange range) { outlook.unwatched += range.size(); }}));
  outlook.pause = context_.clock.Now() - begin;
  STILLFRAME_ASSIGN(const Bytes unarmed, BytesToCopy(memory_, context_.planner.plan()));
  outlook.pause += rounds_.ReadTime(ToPages(outlook.to_copy + unarmed));
  FailPoint("precopy.counted");
  return outlook;
}

Result<void> PrecopyWay::FindDoubts(Bytes step, const PrecopyProof::Doubts& doubts) {
  const std::span<const PlannedMapping> plan = context_.planner.plan();
  for (size_t first = 0; first < plan.size();) {
    STILLFRAME_TRY(context_.CheckCancelled());
    const size_t end = EndOfStretch(plan, first);
    if (plan[first].treatment == Treatment::kArm) {
      STILLFRAME_TRY(proof_.FindDoubts(plan.subspan(first, end - first), step, doubts));
    }
    first = end;
  }
  return watch_.CheckThere();
}

Result<void> PrecopyWay::WhilePaused() {
  const auto cancelled = [this] { return context_.IsCancelled(); };
  STILLFRAME_TRY(context_.planner.Refresh());
  const TimePoint begin = context_.clock.Now();
  STILLFRAME_ASSIGN(const std::vector<AddressRange> rest, FindRest());
  const TimePoint found = context_.clock.Now();
  for (const AddressRange range : rest) {
    STILLFRAME_TRY(copies_.TakePages(memory_, range, cancelled));
    STILLFRAME_TRY(context_.CheckPauseLimit());
  }
  STILLFRAME_TRY(copies_.Take(memory_, context_.planner.plan(), cancelled));
  context_.summary.paused.arm = found - begin;
  context_.summary.paused.copy = context_.clock.Now() - found;
  FailPoint("precopy.paused-copy");
  STILLFRAME_TRY(context_.CaptureState());
  return context_.CallAtInstant();
}

Result<std::vector<AddressRange>> PrecopyWay::FindRest() {
  STILLFRAME_TRY(pinned_.Find(*context_.target, context_.planner.mappings()));
  pinned_.Distrust(&copied_);
  std::vector<AddressRange> rest;
  STILLFRAME_TRY(FindDoubts(kWholeMapping,
                            {.copy = [&](AddressRange range) { AppendRange(range, &rest); },
                             .zero = [this](AddressRange range) { AppendRange(range, &zeros_); }}));
  FailPoint("precopy.proven");
  return rest;
}

void PrecopyWay::Release() {
  if (!armed_) return;
  const std::span<const PlannedMapping> plan = context_.planner.plan();
  ReleaseFiles(*context_.target, *channel_, [plan](AddressRange range) {
    const auto planned = std::ranges::partition_point(
        plan, [&](const PlannedMapping& other) { return other.mapping.range.end <= range.begin; });
    return planned != plan.end() && planned->treatment == Treatment::kArm &&
           planned->mapping.range.Overlaps(range);
  });
  armed_->Release(nullptr);
}

Result<std::vector<RangeReason>> PrecopyWay::Finish() {
  PausedOutput paused(copies_, saver_, *context_.sink);
  STILLFRAME_TRY(paused.TellRest([this] { return context_.CheckCancelled(); }));
  for (const AddressRange range : zeros_) STILLFRAME_TRY(context_.sink->Zero(range));
  return std::vector<RangeReason>();
}

void PrecopyWay::End() {
  copies_ = {};
  zeros_ = {};
}

std::vector<AddressRange> PrecopyWay::Unreadable() const {
  return {copies_.unreadable().begin(), copies_.unreadable().end()};
}

void PrecopyWay::AddTo(SaveSummary* summary) const {
  summary->policy = "none";
  summary->rounds = {.count = round_count_, .copied = rounds_.copied()};
}

void PrecopyWay::AddTo(SaveProgress* progress) const { progress->done = saver_.done(); }

}  // namespace stillframe
