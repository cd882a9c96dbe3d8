#include <unistd.h>

#include <memory>
#include <utility>

#include "cli/command.h"
#include "cli/exec_paused.h"
#include "cli/exit_code.h"
#include "cli/image_conversion.h"
#include "cli/report_file.h"
#include "cli/save_arguments.h"
#include "cli/save_job.h"
#include "cli/save_loop.h"
#include "cli/stream.h"
#include "cli/trace_file.h"
#include "image/block_codec.h"
#include "report/forecast_report.h"
#include "report/summary_report.h"
#include "stillframe/core.h"
#include "stillframe/image.h"
#include "stillframe/save_forecast.h"

namespace stillframe {
namespace {

int EndSaved(const SaveArguments& arguments, const SaveSummary& summary) {
  PrintErr(SkippedWarning(summary, arguments.format));
  const std::string_view codec = CodecName(arguments.image.compression.codec);
  std::string report;
  if (arguments.json) {
    report = DumpJson(SummaryToJson(summary, arguments.file, arguments.format, codec)) + "\n";
  } else if (!arguments.quiet) {
    report = SummaryToText(summary, arguments.file, arguments.verbose, arguments.format, codec);
  }
  const bool lost = summary.pages.lost.count > 0;
  if (lost && !arguments.json) {
    const bool core = arguments.format == SaveFormat::kCore;
    PrintErr("stillframe: warning: " + std::to_string(summary.pages.lost.count) +
             " pages could not be saved; " +
             (core ? "the core has no memory there, and lists them in a note\n"
                   : "stillframe info lists them\n"));
  }
  const auto printed = WriteAll(ReportFd(arguments), std::as_bytes(std::span(report)));
  if (!printed) return EndWithError(arguments.verb(), printed.error(), false);
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
  if (!forecast) return EndWithError(arguments.verb(), forecast.error(), arguments.json);
  return EndWithReport(arguments.verb(),
                       arguments.json ? DumpJson(ForecastToJson(*forecast, arguments.verb())) + "\n"
                                      : ForecastToText(*forecast));
}

// Refuses a stream that memory can't go to in its order before it is opened: a FIFO without a
// reader takes its time. The session would refuse it all the same.
Result<std::unique_ptr<PageSink>> OpenCore(const SaveArguments& arguments) {
  return CreateCore(arguments.output(),
                    {.memory = MemoryForCore(), .in_order = KeepsOrder(arguments.options.via)});
}

Result<std::unique_ptr<PageSink>> OpenImage(const SaveArguments& arguments) {
  STILLFRAME_ASSIGN(const ImageOptions options, OpenImageOptions(arguments.image));
  if (options.parent) {
    STILLFRAME_TRY(CheckParentIsOf(arguments.pid, *options.parent, options.any_process));
  }
  return CreateImage(arguments.output(), options);
}

// `report` may be null.
SaveJob::OpenSink SinkFor(const SaveArguments& arguments, const ReportFile* report) {
  return [&arguments, report]() -> Result<std::unique_ptr<PageSink>> {
    STILLFRAME_ASSIGN(std::unique_ptr<PageSink> sink, arguments.format == SaveFormat::kCore
                                                          ? OpenCore(arguments)
                                                          : OpenImage(arguments));
    return report == nullptr ? std::move(sink) : report->Record(std::move(sink));
  };
}

int SaveTarget(SaveArguments& parsed, const std::vector<std::string>& arguments) {
  const auto end = [&parsed](const Error& error, int signal = 0) {
    return EndWithError(parsed.verb(), error, parsed.json, ReportFd(parsed), signal);
  };
  // Forked first: a child that holds neither the output nor anything of the target.
  const auto exec = StartExec(parsed);
  if (!exec) return end(exec.error());
  const auto trace_file = TraceFile::Open(parsed.trace);
  if (!trace_file) return end(trace_file.error());
  const auto report = ReportFile::Plan(parsed.report);
  if (!report) return end(report.error());

  SaveTrace own_trace;
  SaveTrace* const trace = *trace_file ? (*trace_file)->trace() : &own_trace;
  if (*trace_file || *report) parsed.options.trace = trace;
  SaveJob job(parsed.pid, SinkFor(parsed, report->get()), parsed.options);
  SaveLoop loop(parsed, job, exec->get());
  const auto summary = loop.Run();
  Result<void> told = *trace_file ? (*trace_file)->Write() : Result<void>{};
  if (!summary) return end(summary.error(), loop.signal());
  if (*report) {
    std::vector<std::string> command = {std::string(parsed.verb())};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const auto drawn = (*report)->Write(*summary, parsed.file, parsed.format, *trace, command);
    if (told) told = drawn;
  }
  const int code = EndSaved(parsed, *summary);
  // What was saved is there all the same, so its summary is told first. With --json that stays the
  // only object on its stream.
  if (!told) return EndWithError(parsed.verb(), told.error(), false);
  return code;
}

int RunAs(SaveFormat format, const std::vector<std::string>& arguments) {
  auto parsed = ParseSaveArguments(arguments, isatty(STDERR_FILENO) != 0, format);
  if (!parsed) return EndWithError(VerbOf(format), parsed.error(), WantsJson(arguments));
  if (!parsed->help.empty()) return EndWithReport(VerbOf(format), parsed->help);
  if (!parsed->from.empty()) return ConvertToCore(*parsed);
  return parsed->dry_run ? RunDryRun(*parsed) : SaveTarget(*parsed, arguments);
}

}  // namespace

int RunSave(const std::vector<std::string>& arguments) {
  return RunAs(SaveFormat::kImage, arguments);
}

int RunCore(const std::vector<std::string>& arguments) {
  return RunAs(SaveFormat::kCore, arguments);
}

}  // namespace stillframe
