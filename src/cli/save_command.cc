#include <glib-unix.h>
#include <glib.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <utility>

#include "cli/command.h"
#include "cli/exec_paused.h"
#include "cli/exit_code.h"
#include "cli/progress_line.h"
#include "cli/report_file.h"
#include "cli/save_arguments.h"
#include "cli/save_job.h"
#include "cli/stream.h"
#include "cli/trace_file.h"
#include "report/forecast_report.h"
#include "report/summary_report.h"
#include "stillframe/save_forecast.h"

namespace stillframe {
namespace {

// How long an output that is still being opened may keep a cancelled command.
constexpr guint kOpeningPatienceMs = 300;

// What belongs to stdout stands there unless the image does.
int ReportFd(const SaveArguments& arguments) {
  return arguments.to_stdout() ? STDERR_FILENO : STDOUT_FILENO;
}

// The main loop around a job: signals in, progress out.
//
// Thread rule: the main thread; only the job's `done` comes from another one.
class SaveLoop {
 public:
  SaveLoop(const SaveArguments& arguments, SaveJob& job, ExecPaused* exec)
      : arguments_(arguments),
        job_(job),
        exec_(exec),
        line_(arguments.progress),
        loop_(g_main_loop_new(nullptr, FALSE)) {}
  SaveLoop(const SaveLoop&) = delete;
  SaveLoop& operator=(const SaveLoop&) = delete;
  ~SaveLoop() { g_main_loop_unref(loop_); }

  Result<SaveSummary> Run() {
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

  // The signal that ended us; 0 for none.
  int signal() const { return signal_; }

 private:
  static gboolean OnInterrupt(gpointer self) {
    return static_cast<SaveLoop*>(self)->Cancel(SIGINT);
  }
  static gboolean OnTerminate(gpointer self) {
    return static_cast<SaveLoop*>(self)->Cancel(SIGTERM);
  }

  static gboolean OnStatus(gpointer data) {
    auto* self = static_cast<SaveLoop*>(data);
    self->line_.ShowStatus(self->job_.Progress().value_or(SaveProgress{}));
    return G_SOURCE_CONTINUE;
  }

  static gboolean OnProgress(gpointer data) {
    auto* self = static_cast<SaveLoop*>(data);
    if (const auto progress = self->job_.Progress()) self->line_.Show(*progress);
    return G_SOURCE_CONTINUE;
  }

  static gboolean OnDone(gpointer self) {
    g_main_loop_quit(static_cast<SaveLoop*>(self)->loop_);
    return G_SOURCE_REMOVE;
  }

  // Nothing was touched, nothing has to be undone: the end of the process is the way out of a
  // blocking open.
  static gboolean OnStillOpening(gpointer data) {
    auto* self = static_cast<SaveLoop*>(data);
    if (self->job_.is_opening()) {
      const Error error{.code = ErrorCode::kInterrupted,
                        .message = "interrupted while the output was being opened",
                        .hint = {}};
      _exit(EndWithError("save", error, self->arguments_.json, ReportFd(self->arguments_),
                         self->signal_));
    }
    return G_SOURCE_REMOVE;
  }

  gboolean Cancel(int signal) {
    if (signal_ == 0) {
      signal_ = signal;
      g_timeout_add(kOpeningPatienceMs, &OnStillOpening, this);
    }
    job_.Cancel();
    if (exec_ != nullptr) exec_->Cancel();
    return G_SOURCE_CONTINUE;
  }

  const SaveArguments& arguments_;
  SaveJob& job_;
  ExecPaused* const exec_;
  ProgressLine line_;
  GMainLoop* const loop_;
  int signal_ = 0;
};

int EndSaved(const SaveArguments& arguments, const SaveSummary& summary) {
  PrintErr(SkippedWarning(summary));
  std::string report;
  if (arguments.json) {
    report = DumpJson(SummaryToJson(summary, arguments.image)) + "\n";
  } else if (!arguments.quiet) {
    report = SummaryToText(summary, arguments.image, arguments.verbose);
  }
  const bool lost = summary.pages.lost.count > 0;
  if (lost && !arguments.json) {
    PrintErr("stillframe: warning: " + std::to_string(summary.pages.lost.count) +
             " pages could not be saved; stillframe info lists them\n");
  }
  const auto printed = WriteAll(ReportFd(arguments), std::as_bytes(std::span(report)));
  if (!printed) return EndWithError("save", printed.error(), false);
  return lost ? kExitPagesLost : kExitDone;
}

Result<std::unique_ptr<ExecPaused>> StartExec(SaveArguments& arguments) {
  if (!arguments.exec_paused) return nullptr;
  STILLFRAME_ASSIGN(std::unique_ptr<ExecPaused> exec, ExecPaused::Start(*arguments.exec_paused));
  arguments.options.at_instant = [exec = exec.get(), timeout = arguments.exec_timeout](pid_t pid) {
    return exec->Run(pid, timeout);
  };
  return exec;
}

// No signal is caught: when we die, the target is as it was.
int RunDryRun(const SaveArguments& arguments) {
  const auto forecast = ForecastSave(arguments.pid, arguments.options);
  if (!forecast) return EndWithError("save", forecast.error(), arguments.json);
  return EndWithReport("save", arguments.json ? DumpJson(ForecastToJson(*forecast)) + "\n"
                                              : ForecastToText(*forecast));
}

}  // namespace

int RunSave(const std::vector<std::string>& arguments) {
  auto parsed = ParseSaveArguments(arguments, isatty(STDERR_FILENO) != 0);
  if (!parsed) return EndWithError("save", parsed.error(), WantsJson(arguments));
  if (!parsed->help.empty()) return EndWithReport("save", parsed->help);

  if (parsed->dry_run) return RunDryRun(*parsed);

  // Forked first: a child that holds neither the output nor anything of the target.
  const auto exec = StartExec(*parsed);
  if (!exec) return EndWithError("save", exec.error(), parsed->json, ReportFd(*parsed));
  const auto trace_file = TraceFile::Open(parsed->trace);
  if (!trace_file) return EndWithError("save", trace_file.error(), parsed->json, ReportFd(*parsed));
  const auto report = ReportFile::Plan(parsed->report);
  if (!report) return EndWithError("save", report.error(), parsed->json, ReportFd(*parsed));

  SaveTrace own_trace;
  SaveTrace* const trace = *trace_file ? (*trace_file)->trace() : &own_trace;
  if (*trace_file || *report) parsed->options.trace = trace;
  SaveJob::WrapSink record;
  if (*report) {
    record = [&file = **report](std::unique_ptr<PageSink> sink) {
      return file.Record(std::move(sink));
    };
  }
  SaveJob job(parsed->pid, parsed->output(), parsed->options, std::move(record));
  SaveLoop loop(*parsed, job, exec->get());
  const auto summary = loop.Run();
  Result<void> told = *trace_file ? (*trace_file)->Write() : Result<void>{};
  if (!summary) {
    return EndWithError("save", summary.error(), parsed->json, ReportFd(*parsed), loop.signal());
  }
  if (*report) {
    const auto drawn = (*report)->Write(*summary, parsed->image, *trace, arguments);
    if (told) told = drawn;
  }
  const int code = EndSaved(*parsed, *summary);
  // The image is there all the same, so its summary is told first. With --json that stays the only
  // object on its stream.
  if (!told) return EndWithError("save", told.error(), false);
  return code;
}

}  // namespace stillframe
