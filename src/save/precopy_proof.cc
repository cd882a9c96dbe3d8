#include "save/precopy_proof.h"

namespace stillframe {

void PrecopyProof::Unchanged(AddressRange range, const Doubts& doubts) const {
  if (!range.empty()) copied_.ForEachMissing(range, doubts.copy);
}

Result<void> PrecopyProof::FindDoubts(std::span<const PlannedMapping> stretch, Bytes step,
                                      const Doubts& doubts) const {
  const bool of_file = MayShowFile(stretch.front().mapping);
  const AddressRange all{stretch.front().saved.begin, stretch.back().saved.end};
  TargetAddress at = all.begin;
  STILLFRAME_TRY(watch_.FindChanged(all, of_file, step, [&](const WatchedRun& run) {
    Unchanged({at, run.range.begin}, doubts);
    at = run.range.end;
    const bool own = (run.present || run.swapped) && !run.zero && !run.of_file;
    if (own && !run.watched && doubts.unwatched) doubts.unwatched(run.range);
    if (of_file) {
      doubts.copy(run.range);  // holes too: they show the file
    } else if (run.zero || (!run.present && !run.swapped)) {
      doubts.zero(run.range);
    } else if (run.watched && !run.written) {
      Unchanged(run.range, doubts);  // swapped out since
    } else {
      doubts.copy(run.range);
    }
  }));
  Unchanged({at, all.end}, doubts);
  return {};
}

}  // namespace stillframe
