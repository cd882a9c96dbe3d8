// The session: what is the same in every way of saving.
#ifndef STILLFRAME_SAVE_SESSION_H_
#define STILLFRAME_SAVE_SESSION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "base/mapped_memory.h"
#include "save/save_context.h"
#include "save/save_way.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/save.h"
#include "stillframe/target.h"

namespace stillframe {

// Thread rule: as SaveSession. In mapped memory, since it is written to in the pause of one's own
// process.
class Session final : public SaveSession, public InMappedMemory {
 public:
  using MakeWay = std::function<std::unique_ptr<SaveWay>(SaveContext&)>;

  Session(std::unique_ptr<Target> target, std::unique_ptr<PageSink> sink, SaveOptions options,
          const MakeWay& make_way)
      : context_(std::move(target), std::move(sink), std::move(options)),
        way_(make_way(context_)) {}

  Result<SaveSummary> Run() override;
  void Cancel() override;
  SaveSummary Summary() const override;
  SaveProgress Progress() const override;

  // For whoever saves the same target again and again: all of Run but the release of the target,
  // which the caller owes. Any number of times, `BeginAnew` between two.
  Result<SaveSummary> RunWithoutRelease();
  void BeginAnew() { context_.BeginAnew(); }
  void ReleaseTarget();

 private:
  Result<void> Prepare();
  // The pause and what comes after it.
  Result<void> Save();
  // The pause: from the first thread asked to stop to the last one resumed.
  Result<void> TakeInstant();
  // What is done while the target stands still.
  Result<void> WhilePaused();
  void NotePause();
  // Nothing may block on the output any more.
  void InterruptOutput();
  Result<void> Publish();
  Result<SaveSummary> End(const Result<void>& result);
  void Enter(SavePhase phase) { phase_.store(phase, std::memory_order_relaxed); }

  SaveContext context_;
  const std::unique_ptr<SaveWay> way_;
  TimePoint started_;

  // Read by Progress, from any thread.
  std::atomic<SavePhase> phase_ = SavePhase::kAttaching;
  std::atomic<int64_t> started_ns_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_SESSION_H_
