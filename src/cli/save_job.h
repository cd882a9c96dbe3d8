// One save on a thread of its own: ptrace knows its tracer by thread, so one thread attaches and
// runs the session.
#ifndef STILLFRAME_CLI_SAVE_JOB_H_
#define STILLFRAME_CLI_SAVE_JOB_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/save.h"

namespace stillframe {

// Thread rule: the thread that made it.
class SaveJob {
 public:
  // Opens what is written to. On the job's thread, once.
  using OpenSink = std::function<Result<std::unique_ptr<PageSink>>()>;

  SaveJob(pid_t pid, OpenSink open, SaveOptions options);
  SaveJob(const SaveJob&) = delete;
  SaveJob& operator=(const SaveJob&) = delete;
  // Cancels and waits.
  ~SaveJob();

  // Opens the output, attaches and saves, in that order. `done` is called on the job's thread as
  // its last act.
  void Start(std::function<void()> done);
  // Any time; what is under way is undone.
  void Cancel();
  // Waits for the end. Once, after Start.
  Result<SaveSummary> Take();

  // Nothing unless the session runs.
  std::optional<SaveProgress> Progress() const;
  // True while the output is being opened: a FIFO without a reader takes its time, and nothing was
  // touched yet.
  bool is_opening() const;

 private:
  Result<SaveSummary> Run();
  // False when Cancel came first.
  bool Publish(SaveSession* session);
  void Withdraw();

  const pid_t pid_;
  const OpenSink open_;
  SaveOptions options_;
  std::thread thread_;
  std::optional<Result<SaveSummary>> result_;  // the thread's, until it is joined

  mutable std::mutex mutex_;
  SaveSession* session_ = nullptr;  // the thread's, while it runs
  bool cancelled_ = false;
  bool opening_ = true;
};

}  // namespace stillframe

#endif  // STILLFRAME_CLI_SAVE_JOB_H_
