#include "fault/fault_queue.h"

#include <cstddef>

#include "base/thread_sanitizer.h"

namespace stillframe {

FaultQueue::FaultQueue() { cds_wfcq_init(&head_, &tail_); }

void FaultQueue::Put(FaultQueueNode* node) {
  cds_wfcq_node_init(&node->link);
  TsanRelease(node);
  cds_wfcq_enqueue(cds_wfcq_head_cast(&head_), &tail_, &node->link);
}

FaultQueueNode* FaultQueue::Take() {
  // Null also while an enqueuer is half way: it is found next time, and nobody waits here.
  cds_wfcq_node* link = __cds_wfcq_dequeue_nonblocking(cds_wfcq_head_cast(&head_), &tail_);
  if (link == nullptr || link == CDS_WFCQ_WOULDBLOCK) return nullptr;
  auto* node = reinterpret_cast<FaultQueueNode*>(reinterpret_cast<char*>(link) -
                                                 offsetof(FaultQueueNode, link));
  TsanAcquire(node);
  return node;
}

}  // namespace stillframe
