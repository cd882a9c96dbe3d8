// Reads of many pages, done together.
#ifndef STILLFRAME_IMAGE_PAGE_QUEUE_H_
#define STILLFRAME_IMAGE_PAGE_QUEUE_H_

#include <memory>

#include "image/block_puncher.h"
#include "image/image_chain.h"
#include "stillframe/image_reader.h"
#include "stillframe/task_pool.h"

namespace stillframe {

// `chain` and `puncher` outlive the queue; `puncher` and `workers` may be null.
std::unique_ptr<PageQueue> NewPageQueue(const ImageChain& chain, std::shared_ptr<TaskPool> workers,
                                        BlockPuncher* puncher);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_PAGE_QUEUE_H_
