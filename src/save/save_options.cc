#include "save/save_options.h"

#include <string>

#include "save/memory_budget.h"
#include "track/spill_directory.h"
#include "track/stage.h"

namespace stillframe {

Result<void> CheckSaveOptions(const SaveOptions& options) {
  using std::chrono::hours;
  using std::chrono::microseconds;
  using std::chrono::milliseconds;
  if (options.stage < Stage::kSmallest || options.stage > Stage::kLargest) {
    return Fail(ErrorCode::kUsage, "the stage is outside its range", "from 1M to 64G");
  }
  if (options.max_bandwidth.count != 0 && options.max_bandwidth < KiB(64)) {
    return Fail(ErrorCode::kUsage, "the bandwidth limit is too low", "at least 64K a second");
  }
  if (options.max_stall < milliseconds(1) || options.max_stall > hours(24)) {
    return Fail(ErrorCode::kUsage, "the longest stall is outside its range", "from 1ms to 24h");
  }
  if (options.spill_limit && *options.spill_limit < MiB(1)) {
    return Fail(ErrorCode::kUsage, "the limit of the spill file is too low", "at least 1M");
  }
  if (options.instant == Instant::kLate && options.via != Via::kWriteProtect) {
    return Fail(ErrorCode::kUsage,
                "saving via " + std::string(ViaName(options.via)) + " has no late instant",
                "a late one is of write protection (wp) only");
  }
  if (options.pause_limit < microseconds(10) || options.pause_limit > hours(1)) {
    return Fail(ErrorCode::kUsage, "the limit of the pause is outside its range",
                "from 10us to 1h");
  }
  if (options.stop_timeout < milliseconds(1) || options.stop_timeout > hours(1)) {
    return Fail(ErrorCode::kUsage, "the stop timeout is outside its range", "from 1ms to 1h");
  }
  return {};
}

Result<void> CheckRoomFor(const SaveOptions& options) {
  if (options.via != Via::kWriteProtect) return {};
  STILLFRAME_TRY(CheckStageFits(options.stage, AvailableMemory()));
  if (options.on_full == OnFull::kSpill) STILLFRAME_TRY(FindSpillDirectory(options.spill_dir));
  return {};
}

Result<void> CheckOrder(const SaveOptions& options, const PageSink& sink) {
  if (!sink.needs_order() || KeepsOrder(options.via)) return {};
  return Fail(ErrorCode::kUsage,
              "this output takes memory by rising address, front to back, and saving via " +
                  std::string(ViaName(options.via)) + " takes it in any order",
              "--via fork or stop, or a file");
}

}  // namespace stillframe
