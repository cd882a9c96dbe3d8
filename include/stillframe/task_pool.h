// Threads that do work for others: encode and decode blocks of an image.
#ifndef STILLFRAME_TASK_POOL_H_
#define STILLFRAME_TASK_POOL_H_

#include <cstddef>
#include <functional>
#include <memory>

#include "stillframe/error.h"

namespace stillframe {

// Thread rule: any thread.
class TaskPool {
 public:
  TaskPool() = default;
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;
  // Waits for every task that was pushed.
  virtual ~TaskPool() = default;

  // Has `task` run on one of the threads, after those that were pushed before. Does not block and
  // does not bound what waits: who pushes does. A task must not throw, and not wait for a later
  // one.
  virtual void Push(std::function<void()> task) = 0;
  virtual size_t threads() const = 0;
};

// `threads`: 1 to 256. Each takes no signals and runs at `nice` above the calling thread's nice
// value, so that it never takes the CPU from whoever serves the target.
// Errors: kUsage, kLimit where the system has no room for another thread.
Result<std::shared_ptr<TaskPool>> StartTaskPool(size_t threads, int nice = 5);

// As many as the CPUs that this process may run on, at most 16.
size_t DefaultTaskThreads();

}  // namespace stillframe

#endif  // STILLFRAME_TASK_POOL_H_
