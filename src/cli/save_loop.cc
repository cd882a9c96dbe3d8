#include "cli/save_loop.h"

#include <glib-unix.h>
#include <unistd.h>

#include <csignal>

#include "cli/stream.h"

namespace stillframe {
namespace {

// How long an output that is still being opened may keep a cancelled command.
constexpr guint kOpeningPatienceMs = 300;

}  // namespace

int ReportFd(const SaveArguments& arguments) {
  return arguments.to_stdout() ? STDERR_FILENO : STDOUT_FILENO;
}

SaveLoop::SaveLoop(const SaveArguments& arguments, SaveJob& job, ExecPaused* exec)
    : arguments_(arguments),
      job_(job),
      exec_(exec),
      line_(arguments.verb(), arguments.progress),
      loop_(g_main_loop_new(nullptr, FALSE)) {}

Result<SaveSummary> SaveLoop::Run() {
  g_unix_signal_add(SIGINT, &OnInterrupt, this);
  g_unix_signal_add(SIGTERM, &OnTerminate, this);
  g_unix_signal_add(SIGUSR1, &OnStatus, this);
  if (line_.interval().count() > 0) {
    g_timeout_add(static_cast<guint>(line_.interval().count()), &OnProgress, this);
  }
  job_.Start([this] { g_idle_add(&OnDone, this); });
  g_main_loop_run(loop_);
  line_.Clear();
  return job_.Take();
}

gboolean SaveLoop::OnInterrupt(gpointer self) {
  return static_cast<SaveLoop*>(self)->Cancel(SIGINT);
}
gboolean SaveLoop::OnTerminate(gpointer self) {
  return static_cast<SaveLoop*>(self)->Cancel(SIGTERM);
}

gboolean SaveLoop::OnStatus(gpointer data) {
  auto* self = static_cast<SaveLoop*>(data);
  self->line_.ShowStatus(self->job_.Progress().value_or(SaveProgress{}));
  return G_SOURCE_CONTINUE;
}

gboolean SaveLoop::OnProgress(gpointer data) {
  auto* self = static_cast<SaveLoop*>(data);
  if (const auto progress = self->job_.Progress()) self->line_.Show(*progress);
  return G_SOURCE_CONTINUE;
}

gboolean SaveLoop::OnDone(gpointer self) {
  g_main_loop_quit(static_cast<SaveLoop*>(self)->loop_);
  return G_SOURCE_REMOVE;
}

// Nothing was touched, nothing has to be undone: the end of the process is the way out of a
// blocking open.
gboolean SaveLoop::OnStillOpening(gpointer data) {
  auto* self = static_cast<SaveLoop*>(data);
  if (self->job_.is_opening()) {
    const Error error{.code = ErrorCode::kInterrupted,
                      .message = "interrupted while the output was being opened",
                      .hint = {}};
    _exit(EndWithError(self->arguments_.verb(), error, self->arguments_.json,
                       ReportFd(self->arguments_), self->signal_));
  }
  return G_SOURCE_REMOVE;
}

gboolean SaveLoop::Cancel(int signal) {
  if (signal_ == 0) {
    signal_ = signal;
    g_timeout_add(kOpeningPatienceMs, &OnStillOpening, this);
  }
  job_.Cancel();
  if (exec_ != nullptr) exec_->Cancel();
  return G_SOURCE_CONTINUE;
}

}  // namespace stillframe
