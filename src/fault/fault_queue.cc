#include "fault/fault_queue.h"

#include <cstddef>

#if defined(__SANITIZE_THREAD__)
#define STILLFRAME_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define STILLFRAME_TSAN 1
#endif
#endif

#ifdef STILLFRAME_TSAN
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#else
static void __tsan_acquire(void*) {}
static void __tsan_release(void*) {}
#endif

namespace stillframe {

FaultQueue::FaultQueue() { cds_wfcq_init(&head_, &tail_); }

void FaultQueue::Put(FaultQueueNode* node) {
  cds_wfcq_node_init(&node->link);
  __tsan_release(node);
  cds_wfcq_enqueue(cds_wfcq_head_cast(&head_), &tail_, &node->link);
}

FaultQueueNode* FaultQueue::Take() {
  // Null also while an enqueuer is half way: it is found next time, and nobody waits here.
  cds_wfcq_node* link = __cds_wfcq_dequeue_nonblocking(cds_wfcq_head_cast(&head_), &tail_);
  if (link == nullptr || link == CDS_WFCQ_WOULDBLOCK) return nullptr;
  auto* node = reinterpret_cast<FaultQueueNode*>(reinterpret_cast<char*>(link) -
                                                 offsetof(FaultQueueNode, link));
  __tsan_acquire(node);
  return node;
}

}  // namespace stillframe
