#include "save/precopy_rounds.h"

#include <algorithm>

#include "base/fail_point.h"
#include "save/precopy_proof.h"

namespace stillframe {
namespace {

constexpr Bytes kReadAtOnce = MiB(1);
// What is noted until it is copied: 16 MiB of notes.
constexpr size_t kMostArmedRuns = 1 << 20;
// As long as nothing was measured: a page by page call and its copy.
constexpr Duration kGuessedPage = std::chrono::microseconds(2);

}  // namespace

PrecopyRounds::PrecopyRounds(const Parts& parts) : parts_(parts), buffer_(kReadAtOnce) {}

Result<void> PrecopyRounds::Copy(std::span<const PlannedMapping> plan,
                                 std::span<const AddressRange> fresh) {
  reading_ = Duration(0);
  read_ = Pages{0};
  for (const PlannedMapping& planned : plan) {
    if (planned.treatment != Treatment::kArm) continue;
    const auto registered = std::ranges::partition_point(
        fresh, [&](AddressRange range) { return range.end <= planned.saved.begin; });
    const bool is_fresh = registered != fresh.end() && registered->Overlaps(planned.saved);
    const auto which = is_fresh ? PageWatch::Which::kAll : PageWatch::Which::kWritten;
    STILLFRAME_TRY(Arm(planned, which));
  }
  return CopyArmed();
}

Result<void> PrecopyRounds::Arm(const PlannedMapping& planned, PageWatch::Which which) {
  return parts_.watch.Arm(planned.saved, which, MayShowFile(planned.mapping),
                          [this](std::span<const AddressRange> runs) -> Result<void> {
                            FailPoint("precopy.armed");
                            STILLFRAME_TRY(parts_.check());
                            for (const AddressRange run : runs) {
                              parts_.copied.Remove(run);  // it is armed anew
                              AppendRange(run, &armed_);
                            }
                            return armed_.size() < kMostArmedRuns ? Result<void>() : CopyArmed();
                          });
}

Result<void> PrecopyRounds::CopyArmed() {
  if (armed_.empty()) return {};
  STILLFRAME_TRY(parts_.await_calls());
  for (const AddressRange run : armed_) STILLFRAME_TRY(CopyRun(run));
  armed_.clear();
  FailPoint("precopy.copied");
  return {};
}

Result<void> PrecopyRounds::CopyRun(AddressRange run) {
  for (TargetAddress at = run.begin; at < run.end;) {
    STILLFRAME_TRY(parts_.check());
    const TargetAddress end = at + std::min(kReadAtOnce, run.end - at);
    STILLFRAME_TRY(CopyPiece({at, end}));
    at = end;
  }
  return {};
}

// Pages that go or can't be read are passed over. They are not lost: either they are no pages of
// the instant, or they are copied inside the pause.
Result<void> PrecopyRounds::CopyPiece(AddressRange piece) {
  while (!piece.empty()) {
    const iovec to{.iov_base = buffer_.data(), .iov_len = piece.size().count};
    const TimePoint begin = parts_.clock.Now();
    const Pages got = ToPages(parts_.memory.read(piece.begin, {&to, 1}).copied);
    reading_ += parts_.clock.Now() - begin;
    read_ += got;
    const AddressRange there{piece.begin, piece.begin + ToBytes(got)};
    if (!there.empty()) {
      STILLFRAME_TRY(parts_.saver.Write(there.begin, {buffer_.data(), there.size().count},
                                        PageSource::kScanned));
      parts_.copied.Add(there);
      copied_ += there.size();
    }
    piece.begin = there.end;
    if (piece.empty()) break;
    STILLFRAME_TRY(parts_.memory.check_alive());
    piece.begin = piece.begin + kPageSize;
  }
  return {};
}

Duration PrecopyRounds::ReadTime(Pages pages) const {
  const auto count = static_cast<int64_t>(pages.count);
  if (read_.count == 0) return kGuessedPage * count;
  return Duration(reading_.count() * count / static_cast<int64_t>(read_.count));
}

}  // namespace stillframe
