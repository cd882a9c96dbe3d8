#include <fcntl.h>
#include <glib-unix.h>
#include <glib.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/unique_fd.h"
#include "cli/bench_arguments.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/stream.h"
#include "evaluate/bench/figures.h"
#include "evaluate/bench/html.h"
#include "evaluate/bench/json.h"
#include "evaluate/bench/suite.h"
#include "evaluate/bench/text.h"
#include "report/json.h"

namespace stillframe {
namespace {

using evaluate::BenchProgress;
using evaluate::BenchResult;

// A line for each round, over the one before where a person looks on.
class BenchProgressLine {
 public:
  BenchProgressLine() : over_(isatty(STDERR_FILENO) != 0) {}

  void Show(const BenchProgress& progress) const {
    std::string line = "stillframe bench: ";
    if (progress.method == nullptr) {
      line += progress.round == 0 ? "filling memory" : "checking memory";
    } else {
      line += std::to_string(progress.round) + " of " + std::to_string(progress.rounds) + ": " +
              progress.method->name + ", run " + std::to_string(progress.run);
    }
    PrintErr(over_ ? "\r\033[K" + line : line + "\n");
  }

  void Clear() const {
    if (over_) PrintErr("\r\033[K");
  }

 private:
  const bool over_;
};

// The main loop beside a bench: signals in.
//
// Thread rule: the main thread. The bench has a thread of its own, which forks and is the tracer.
class BenchLoop {
 public:
  explicit BenchLoop(const evaluate::BenchPlan& plan)
      : plan_(plan), loop_(g_main_loop_new(nullptr, FALSE)) {}
  BenchLoop(const BenchLoop&) = delete;
  BenchLoop& operator=(const BenchLoop&) = delete;
  ~BenchLoop() { g_main_loop_unref(loop_); }

  Result<BenchResult> Run() {
    g_unix_signal_add(SIGINT, &OnInterrupt, this);
    g_unix_signal_add(SIGTERM, &OnTerminate, this);
    std::thread bench = StartBench();
    g_main_loop_run(loop_);
    bench.join();
    line_.Clear();
    return *std::move(result_);
  }

  // The signal that ended us; 0 for none.
  int signal() const { return signal_; }

 private:
  // Signals are the main thread's; what the bench forks inherits its mask, and is ended by it.
  std::thread StartBench() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread bench([this] {
      result_ = evaluate::RunBench(plan_, stop_,
                                   [this](const BenchProgress& progress) { line_.Show(progress); });
      g_idle_add(&OnDone, this);
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return bench;
  }

  static gboolean OnInterrupt(gpointer self) { return static_cast<BenchLoop*>(self)->Stop(SIGINT); }
  static gboolean OnTerminate(gpointer self) {
    return static_cast<BenchLoop*>(self)->Stop(SIGTERM);
  }
  static gboolean OnDone(gpointer self) {
    g_main_loop_quit(static_cast<BenchLoop*>(self)->loop_);
    return G_SOURCE_REMOVE;
  }

  gboolean Stop(int signal) {
    if (signal_ == 0) signal_ = signal;
    stop_.Cancel();
    return G_SOURCE_CONTINUE;
  }

  const evaluate::BenchPlan& plan_;
  const BenchProgressLine line_;
  GMainLoop* const loop_;
  evaluate::BenchStop stop_;
  std::optional<Result<BenchResult>> result_;  // the bench's thread's, until it is joined
  int signal_ = 0;
};

// Opened before anything is measured, so that a path that can't be written is known at once; gone
// again unless something was written.
class ResultFile {
 public:
  static Result<ResultFile> Open(const char* option, const std::string& path) {
    ResultFile file(path);
    if (path.empty()) return file;
    file.is_new_ = access(path.c_str(), F_OK) != 0;
    file.fd_.reset(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (!file.fd_) {
      return FailErrno(errno, "opening '" + path + "'",
                       std::string(option) + " needs a path that can be written",
                       ErrorCode::kUsage);
    }
    return file;
  }
  ResultFile(ResultFile&& other) = default;
  ResultFile& operator=(ResultFile&&) = delete;
  ~ResultFile() {
    if (fd_ && is_new_) unlink(path_.c_str());
  }

  Result<void> Write(const std::string& text) {
    if (!fd_) return {};
    if (ftruncate(fd_.get(), 0) != 0 && errno != EINVAL) {
      return FailErrno(errno, "emptying '" + path_ + "'", {}, ErrorCode::kOutput);
    }
    Result<void> written = WriteAll(fd_.get(), std::as_bytes(std::span(text)));
    if (!written) {
      Error error = std::move(written).error();
      error.message = "writing '" + path_ + "': " + error.message;
      return tl::unexpected(std::move(error));
    }
    is_new_ = false;
    return {};
  }

 private:
  explicit ResultFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
  UniqueFd fd_;
  bool is_new_ = false;
};

std::string CommandText(const std::vector<std::string>& arguments) {
  std::string text = "stillframe bench";
  for (const std::string& argument : arguments) text += " " + argument;
  return text;
}

// 0, or the exit code of the first method that failed.
int ExitCodeFor(const BenchResult& result) {
  for (size_t m = 0; m < result.plan.methods.size(); ++m) {
    const Error* error = evaluate::FirstErrorOf(result, m);
    if (error != nullptr) return ExitCodeOf(error->code);
  }
  return kExitDone;
}

Result<void> WriteResults(const BenchResult& result, const std::vector<std::string>& arguments,
                          ResultFile& json, ResultFile& report, const BenchArguments& parsed) {
  STILLFRAME_TRY(PrintOut(evaluate::BenchTable(result)));
  if (!parsed.json.empty()) {
    STILLFRAME_TRY(json.Write(DumpJson(evaluate::BenchToJson(result)) + "\n"));
  }
  if (!parsed.report.empty()) {
    STILLFRAME_ASSIGN(const std::string page,
                      RenderHtml(evaluate::BenchToHtml(result, CommandText(arguments))));
    STILLFRAME_TRY(report.Write(page));
  }
  return {};
}

}  // namespace

int RunBench(const std::vector<std::string>& arguments) {
  const auto parsed = ParseBenchArguments(arguments);
  if (!parsed) return EndWithError("bench", parsed.error(), false);
  if (!parsed->help.empty()) return EndWithReport("bench", parsed->help);
  auto json = ResultFile::Open("--json", parsed->json);
  if (!json) return EndWithError("bench", json.error(), false);
  auto report = ResultFile::Open("--report", parsed->report);
  if (!report) return EndWithError("bench", report.error(), false);
  BenchLoop loop(parsed->plan);
  const auto result = loop.Run();
  if (!result) return EndWithError("bench", result.error(), false, STDOUT_FILENO, loop.signal());
  const auto written = WriteResults(*result, arguments, *json, *report, *parsed);
  if (!written) return EndWithError("bench", written.error(), false);
  return ExitCodeFor(*result);
}

}  // namespace stillframe
