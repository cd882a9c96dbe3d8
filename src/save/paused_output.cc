#include "save/paused_output.h"

#include <algorithm>
#include <span>

namespace stillframe {
namespace {

constexpr Bytes kWriteAtOnce = MiB(1);
// Above all memory of a process.
constexpr TargetAddress kNowhere{UINT64_MAX};

}  // namespace

Result<void> PausedOutput::TellBelow(TargetAddress end,
                                     const std::function<Result<void>()>& check) {
  for (;;) {
    const std::span<const AddressRange> zeros = copies_.zeros();
    const TargetAddress zero = next_zero_ < zeros.size() ? zeros[next_zero_].begin : kNowhere;
    const TargetAddress copy = copies_.next().value_or(kNowhere);
    if (std::min(zero, copy) >= end) return {};
    STILLFRAME_TRY(check());
    if (zero < copy) {
      STILLFRAME_TRY(sink_.Zero(zeros[next_zero_++]));
      continue;
    }
    const PausedCopies::Piece piece = copies_.Next(kWriteAtOnce);
    STILLFRAME_TRY(saver_.Write(piece.address, piece.memory, PageSource::kPaused));
  }
}

Result<void> PausedOutput::TellRest(const std::function<Result<void>()>& check) {
  return TellBelow(kNowhere, check);
}

}  // namespace stillframe
