#include "save/full_stage.h"

#include <algorithm>
#include <string>
#include <utility>

#include "track/spill_directory.h"
#include "track/spill_file.h"

namespace stillframe {
namespace {

std::string InMebibytes(Bytes size) { return std::to_string(size.count >> 20) + " MiB"; }

}  // namespace

FullStage::FullStage(const SaveOptions& options, Stage& stage) : options_(options), stage_(stage) {
  if (options.on_full == OnFull::kAbort) stage_.MakeFullFinal();
}

Result<void> FullStage::Prepare(Bytes to_save) {
  if (options_.on_full != OnFull::kSpill) return {};
  STILLFRAME_ASSIGN(const SpillDirectory directory, FindSpillDirectory(options_.spill_dir));
  STILLFRAME_ASSIGN(auto file, CreateSpillFile(directory.path));
  // A larger one than what can be spilled would only cost memory for its index.
  const Bytes limit = options_.spill_limit
                          ? std::min(*options_.spill_limit, ToBytes(ToPages(to_save)))
                          : DefaultSpillLimit(to_save, directory.free);
  spill_ = MakeMapped<Spill>(stage_, std::move(file), limit);
  return {};
}

void FullStage::Start() {
  if (spill_) thread_.emplace(*spill_, stage_);
}

tl::unexpected<Error> FullStage::WhyGivenUp() const {
  const std::string what = "a write of the target found no room in the stage of " +
                           InMebibytes(stage_.size()) + ": the save was given up";
  if (!spill_) {
    return Fail(ErrorCode::kLimit, what, "a faster output, a larger --stage, or --on-full spill");
  }
  if (const Error* error = spill_->error()) {
    Error failed = *error;
    failed.message = what + ", since spilling failed: " + failed.message;
    return tl::unexpected(std::move(failed));
  }
  return Fail(ErrorCode::kLimit,
              what + ", since the spill file is at its limit of " + InMebibytes(spill_->limit()),
              "a faster output, a larger --stage or --spill-limit, or --spill-dir on a disk with "
              "more room");
}

}  // namespace stillframe
