// Saving a forked copy: the target runs on after the fork, whose copy-on-write keeps the memory as
// it was.
#ifndef STILLFRAME_SAVE_FORK_WAY_H_
#define STILLFRAME_SAVE_FORK_WAY_H_

#include <memory>
#include <vector>

#include "save/paused_copy.h"
#include "save/paused_output.h"
#include "save/plain_saver.h"
#include "save/save_way.h"
#include "save/still_memory.h"
#include "stillframe/target.h"

namespace stillframe {

// No page is ever lost. The price is the fork's own pause, and a copy by the kernel of every page
// that the target writes before its save is through.
//
// A fork freezes private memory only. Copied inside the pause is what it does not: shared memory,
// pages of files, MADV_DONTFORK and MADV_WIPEONFORK. So are huge pages of hugetlb: where the pool
// runs out, the kernel takes them from the child.
//
// To a sink that needs order, copied pages and the child's come merged by rising address; else the
// copies wait until the child is gone.
class ForkWay final : public SaveWay {
 public:
  explicit ForkWay(SaveContext& context);

  bool needs_fork() const override { return true; }
  Result<void> Prepare() override;
  Result<void> WhilePaused() override;
  Result<void> SavePages() override;
  void Release() override { child_.reset(); }
  Result<std::vector<RangeReason>> Finish() override;
  std::vector<AddressRange> Unreadable() const override;
  void AddTo(SaveSummary* summary) const override;
  void AddTo(SaveProgress* progress) const override;

 private:
  // Plans to copy what the target has and the child does not, or may not have as it was.
  Result<void> CopyWhatIsNotInherited();
  // An error when the child is gone, since somebody killed it.
  Result<void> CheckChild() const;

  SaveContext& context_;
  const StillMemory memory_;
  std::unique_ptr<FrozenMemory> child_;
  PausedCopies copies_;
  PlainSaver saver_;
  PausedOutput paused_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_FORK_WAY_H_
