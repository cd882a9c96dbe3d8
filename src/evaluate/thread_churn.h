// Starts threads that write and end.
#ifndef STILLFRAME_EVALUATE_THREAD_CHURN_H_
#define STILLFRAME_EVALUATE_THREAD_CHURN_H_

#include "evaluate/activity.h"
#include "evaluate/mapped_memory.h"
#include "evaluate/owned_pages.h"

namespace stillframe::evaluate {

class ThreadChurn final : public Activity {
 public:
  // `pages` at least 2.
  ThreadChurn(size_t pages, uint64_t seed);

  // Starts two threads, each of which fills a part of its stack, checks it, and writes a page; then
  // joins them.
  void Step() override;
  void CheckAll() override { pages_.CheckAll(); }
  void Corrupt() override;

 private:
  MappedMemory memory_;
  OwnedPages pages_;
  Random random_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_THREAD_CHURN_H_
