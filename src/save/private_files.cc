#include "save/private_files.h"

#include <algorithm>
#include <utility>

#include "base/fail_point.h"
#include "save/file_release.h"
#include "save/mapping_contents.h"
#include "save/memory_budget.h"
#include "save/precopy_pace.h"

namespace stillframe {
namespace {

// A second userfaultfd and two more looks at the mappings cost what copying so much does.
constexpr Bytes kLeastInAll = MiB(1);
constexpr Bytes kLeastInMapping = KiB(64);
// The target's mmap lock is held for the walk of that much at a time, while it runs: a third of a
// millisecond, as the kernel has to look at each page whether it is the mapping's own.
constexpr Bytes kScanStep = MiB(64);
constexpr Bytes kWholeMapping{UINT64_MAX};
constexpr Bytes kReadAtOnce = KiB(256);
// Part of the limit of a pause that reading the rest may take.
constexpr int kShareOfLimit = 4;

bool IsPrivateFile(const PlannedMapping& planned) {
  const Mapping& mapping = planned.mapping;
  return planned.treatment == Treatment::kCopy && mapping.has_file() && !mapping.shared &&
         !mapping.hugetlb && planned.saved == mapping.range;
}

Bytes Written(const PlannedMapping& planned) {
  return planned.mapping.anonymous + planned.mapping.swapped;
}

}  // namespace

bool IsWorthWatching(const PlannedMapping& planned) {
  return IsPrivateFile(planned) && Written(planned) >= kLeastInMapping;
}

Bytes WatchableIn(std::span<const PlannedMapping> plan) {
  Bytes written;
  for (const PlannedMapping& planned : plan) {
    if (IsWorthWatching(planned)) written += std::min(Written(planned), planned.saved.size());
  }
  return written;
}

bool HasManyFilePages(std::span<const PlannedMapping> plan) {
  return WatchableIn(plan) >= kLeastInAll;
}

PrivateFiles::PrivateFiles(SaveContext& context, std::function<Result<void>()> check)
    : context_(context),
      check_(std::move(check)),
      memory_(StillMemoryOf(*context.target)),
      watch_(context.target->pagemap()),
      proof_(watch_, copied_),
      saver_(*context.sink, context.pacer, PageSource::kScanned),
      rounds_({.memory = memory_,
               .watch = watch_,
               .saver = saver_,
               .copied = copied_,
               .clock = context.clock,
               .check = check_,
               .await_calls = [this]() -> Result<void> {
                 return GiveUp(context_.target->AwaitSystemCalls(context_.HowToPause()));
               }}) {}

Result<void> PrivateFiles::Prepare() {
  Target& target = *context_.target;
  if (context_.is_self || !HasManyFilePages(context_.planner.plan())) return {};
  if (!target.OpenSecondUserfaultfd(AttachOptions().injection_timeout)) return target.CheckAlive();
  auto channel = FaultChannel::ConnectAsync(target.second_userfaultfd());
  if (!channel || !context_.sink->AllowRepeats()) return {};
  channel_.emplace(*std::move(channel));
  FailPoint("files.connected");
  return {};
}

Result<void> PrivateFiles::Register(std::span<const PlannedMapping> plan) {
  if (!active()) return {};
  for (const PlannedMapping& planned : plan) {
    if (IsWorthWatching(planned)) STILLFRAME_TRY(RegisterOne(planned.mapping.range));
  }
  watched_.clear();
  for (const PlannedMapping& planned : plan) {
    if (!IsPrivateFile(planned) || !IsOurs(planned.mapping.range)) continue;
    watched_.push_back(planned);
    watched_.back().treatment = Treatment::kArm;
  }
  return {};
}

// What is registered the kernel is asked: what was registered at those addresses earlier says
// nothing of what is there.
Result<void> PrivateFiles::RegisterOne(AddressRange range) {
  STILLFRAME_ASSIGN(const bool watched, watch_.IsWatched(range));
  if (watched) return {};
  // Refused, or another's: no page of it will be found to be watched.
  if (channel_->Register(range) != RegisterOutcome::kDone) return context_.target->CheckAlive();
  registered_[range.begin] = range.end;
  copied_.Remove(range);
  const auto place = std::ranges::upper_bound(fresh_, range.begin, {}, &AddressRange::begin);
  fresh_.insert(place, range);
  return {};
}

bool PrivateFiles::IsOurs(AddressRange range) const {
  // It may have grown, or lost a part.
  const auto after = registered_.lower_bound(range.end);
  return after != registered_.begin() && std::prev(after)->second > range.begin;
}

Result<void> PrivateFiles::RunRounds() {
  if (!active() || gave_up_ || watched_.empty()) return {};
  const Result<void> done = CopyInRounds();
  // Why memory is gone is told better by whoever owns it; and what went wrong here only is no
  // error.
  if (!done) STILLFRAME_TRY(context_.target->CheckAlive());
  return gave_up_ ? Result<void>() : done;
}

Result<void> PrivateFiles::CopyInRounds() {
  Bytes all;
  for (const PlannedMapping& planned : watched_) all += planned.saved.size();
  PrecopyPace pace(context_.options.pause_limit / kShareOfLimit);
  auto verdict = PrecopyPace::Verdict::kGoOn;
  do {
    STILLFRAME_TRY(CopyOnce());
    ++round_count_;
    STILLFRAME_ASSIGN(const Bytes left, CountDoubts());
    // A half more, as the target runs on until it is stopped.
    expected_ = std::min(ToBytes(ToPages(left + left / 2)), all);
    const Duration pause = rounds_.ReadTime(ToPages(left));
    verdict = pace.AfterRound(pause, pause);
  } while (verdict == PrecopyPace::Verdict::kGoOn && !in_vain_);
  in_vain_ = verdict != PrecopyPace::Verdict::kFits;
  return ReadAhead();
}

Result<void> PrivateFiles::ReadAhead() {
  if (read_ahead_) return {};
  read_ahead_ = true;
  // More is refused soon, when the room for it is to be had.
  if (expected_ > AvailableMemory() / 2) return {};
  std::vector<AddressRange> doubts;
  for (const PlannedMapping& planned : watched_) {
    STILLFRAME_TRY(
        proof_.FindDoubts(planned, kScanStep,
                          {.copy = [&](AddressRange range) { AppendRange(range, &doubts); },
                           .zero = [](AddressRange) {}}));
  }
  std::vector<std::byte> thrown_away(kReadAtOnce.count);
  for (const AddressRange range : doubts) {
    STILLFRAME_TRY(ReadOnce(memory_, range, thrown_away, check_));
  }
  return {};
}

Result<void> PrivateFiles::CopyOnce() {
  STILLFRAME_TRY(LookAtPinned());
  STILLFRAME_TRY(rounds_.Copy(watched_, fresh_));
  fresh_.clear();
  FailPoint("files.copied");
  // Those that were registered while pages were armed.
  return LookAtPinned();
}

Result<void> PrivateFiles::LookAtPinned() {
  STILLFRAME_TRY(check_());
  const auto looked = pinned_.Look(*context_.target, context_.planner.mappings(), check_);
  pinned_.Distrust(&copied_);
  return GiveUp(looked);
}

Result<void> PrivateFiles::GiveUp(Result<void> failed) {
  if (failed || failed.error().code == ErrorCode::kTargetGone ||
      failed.error().code == ErrorCode::kInterrupted) {
    return failed;
  }
  gave_up_ = true;
  return failed;
}

Result<Bytes> PrivateFiles::CountDoubts() {
  Bytes left;
  for (const PlannedMapping& planned : watched_) {
    STILLFRAME_TRY(check_());
    STILLFRAME_TRY(proof_.FindDoubts(planned, kScanStep,
                                     {.copy = [&](AddressRange range) { left += range.size(); },
                                      .zero = [&](AddressRange range) { left += range.size(); }}));
  }
  return left;
}

void PrivateFiles::Claim(std::vector<PlannedMapping>* plan) {
  watched_.clear();
  if (!active() || gave_up_) return;
  for (PlannedMapping& planned : *plan) {
    if (!IsPrivateFile(planned) || !IsOurs(planned.mapping.range)) continue;
    planned.treatment = Treatment::kWatch;
    watched_.push_back(planned);
    watched_.back().treatment = Treatment::kArm;
  }
}

Result<std::vector<AddressRange>> PrivateFiles::FindRest(std::span<const AddressRange> pinned) {
  std::vector<AddressRange> rest;
  pinned_.Add(pinned);
  pinned_.Distrust(&copied_);
  const auto add = [&](AddressRange range) { AppendRange(range, &rest); };
  for (const PlannedMapping& planned : watched_) {
    STILLFRAME_TRY(proof_.FindDoubts(planned, kWholeMapping, {.copy = add, .zero = add}));
  }
  if (!active()) return rest;
  STILLFRAME_TRY(watch_.CheckThere());
  FailPoint("files.proven");
  return rest;
}

void PrivateFiles::AddTo(SaveSummary* summary) const {
  summary->rounds.count += round_count_;
  summary->rounds.copied += rounds_.copied();
}

void PrivateFiles::Release() {
  if (!active()) return;
  ReleaseFiles(*context_.target, *channel_, [this](AddressRange range) { return IsOurs(range); });
  registered_.clear();
}

}  // namespace stillframe
