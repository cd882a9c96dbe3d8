// One watch on a thread of its own: ptrace knows its tracer by thread.
#ifndef STILLFRAME_CLI_WATCH_JOB_H_
#define STILLFRAME_CLI_WATCH_JOB_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "cli/image_series.h"
#include "cli/watch_arguments.h"
#include "stillframe/error.h"
#include "stillframe/image.h"
#include "stillframe/save.h"
#include "stillframe/watch.h"

namespace stillframe {

// Thread rule: the thread that made it; the listeners are called on the job's.
class WatchJob {
 public:
  struct Listeners {
    std::function<void(const SaveSummary&, const std::string& path)> saved;
    std::function<void(size_t)> pruned;        // so many old images went
    std::function<void(const Error&)> failed;  // of one save; the next one is tried all the same
    // Of what comes after it: old images could not be removed, or the image can't be read back.
    std::function<void(const Error&)> warned;
    std::function<void()> done;  // the last call
  };

  // `arguments` outlives it.
  WatchJob(const WatchArguments& arguments, Listeners listeners);
  WatchJob(const WatchJob&) = delete;
  WatchJob& operator=(const WatchJob&) = delete;
  // Cancels and waits.
  ~WatchJob();

  void Start();
  // Any time; an image that is under way is given up.
  void Cancel();
  // From any thread.
  bool IsCancelled() const;
  // Waits for the end. What ended it: success for Cancel and for the last image that was wanted,
  // kTargetGone when the target ended. Once, after Start.
  Result<void> Take();

 private:
  Result<void> Run();
  // Opens all, and finds the parent of the first image.
  Result<void> Prepare();
  Result<void> SaveOnce();
  // Of the image that was just written, for the next one.
  void OpenParent(const std::string& path);
  // A parent that somebody took away, or whose chain is long, is no parent any more.
  void LeaveParent();
  void Prune();
  // False when it was cancelled meanwhile.
  bool WaitUntil(TimePoint when);
  void SetSession(std::unique_ptr<WatchSession> session);

  const WatchArguments& arguments_;
  const Listeners listeners_;
  std::thread thread_;
  Result<void> result_;  // the thread's, until it is joined

  // The thread's.
  std::optional<ImageSeries> series_;
  ImageOptions image_;    // its parent is the newest image
  bool follows_ = false;  // the last save succeeded and its image is the parent
  uint64_t saved_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable woken_;
  std::unique_ptr<WatchSession> session_;  // the thread's, but for Cancel
  bool cancelled_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_CLI_WATCH_JOB_H_
