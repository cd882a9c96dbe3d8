// liburcu's wait-free queue, wrapped once: many may put, one takes. ThreadSanitizer is told what it
// orders.
#ifndef STILLFRAME_FAULT_FAULT_QUEUE_H_
#define STILLFRAME_FAULT_FAULT_QUEUE_H_

#include <urcu/wfcqueue.h>

namespace stillframe {

// What an element of the queue derives from. The element belongs to the queue from Put to Take.
struct FaultQueueNode {
  cds_wfcq_node link;
};

class FaultQueue {
 public:
  FaultQueue();
  FaultQueue(const FaultQueue&) = delete;
  FaultQueue& operator=(const FaultQueue&) = delete;

  // Wait-free.
  void Put(FaultQueueNode* node);
  // Null when empty.
  FaultQueueNode* Take();

 private:
  cds_wfcq_head head_;
  alignas(64) cds_wfcq_tail tail_;
};

}  // namespace stillframe

#endif  // STILLFRAME_FAULT_FAULT_QUEUE_H_
