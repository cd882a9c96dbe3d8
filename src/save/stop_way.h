// The simplest way: the target stands still until the last page is written.
#ifndef STILLFRAME_SAVE_STOP_WAY_H_
#define STILLFRAME_SAVE_STOP_WAY_H_

#include <vector>

#include "save/plain_saver.h"
#include "save/save_way.h"
#include "save/still_memory.h"

namespace stillframe {

// Nothing is protected, nothing copied ahead and nothing of the target's own doing can be lost; the
// pause is as long as the save.
class StopWay final : public SaveWay {
 public:
  explicit StopWay(SaveContext& context);

  Result<void> Prepare() override;
  Result<void> WhilePaused() override;
  Result<void> SavePages() override { return {}; }
  void Release() override {}
  Result<std::vector<RangeReason>> Finish() override { return std::vector<RangeReason>(); }
  std::vector<AddressRange> Unreadable() const override;
  void AddTo(SaveSummary* summary) const override;
  void AddTo(SaveProgress* progress) const override;

 private:
  SaveContext& context_;
  const StillMemory memory_;
  PlainSaver saver_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_STOP_WAY_H_
