// The main loop around a save: signals in, progress out.
#ifndef STILLFRAME_CLI_SAVE_LOOP_H_
#define STILLFRAME_CLI_SAVE_LOOP_H_

#include <glib.h>

#include "cli/exec_paused.h"
#include "cli/progress_line.h"
#include "cli/save_arguments.h"
#include "cli/save_job.h"
#include "stillframe/error.h"
#include "stillframe/save.h"

namespace stillframe {

// Where the report goes: what belongs to stdout stands there unless the output does.
int ReportFd(const SaveArguments& arguments);

// Thread rule: the main thread; only the job's `done` comes from another one.
class SaveLoop {
 public:
  // All of them outlive it; `exec` may be null.
  SaveLoop(const SaveArguments& arguments, SaveJob& job, ExecPaused* exec);
  SaveLoop(const SaveLoop&) = delete;
  SaveLoop& operator=(const SaveLoop&) = delete;
  ~SaveLoop() { g_main_loop_unref(loop_); }

  // Starts the job and returns when it ended. Once.
  Result<SaveSummary> Run();
  // The signal that ended us; 0 for none.
  int signal() const { return signal_; }

 private:
  static gboolean OnInterrupt(gpointer self);
  static gboolean OnTerminate(gpointer self);
  static gboolean OnStatus(gpointer data);
  static gboolean OnProgress(gpointer data);
  static gboolean OnDone(gpointer self);
  static gboolean OnStillOpening(gpointer data);
  gboolean Cancel(int signal);

  const SaveArguments& arguments_;
  SaveJob& job_;
  ExecPaused* const exec_;
  ProgressLine line_;
  GMainLoop* const loop_;
  int signal_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_CLI_SAVE_LOOP_H_
