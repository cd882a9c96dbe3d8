#include "cli/image_conversion.h"

#include <glib-unix.h>
#include <glib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/signals_blocked.h"
#include "cli/exit_code.h"
#include "cli/stream.h"
#include "image/image_copy.h"
#include "report/conversion_report.h"
#include "report/text.h"
#include "save/memory_budget.h"
#include "save/without_exceptions.h"
#include "stillframe/core.h"
#include "stillframe/image_reader.h"

namespace stillframe {
namespace {

// How long a pipe that nobody reads may keep a cancelled command.
constexpr guint kStreamPatienceMs = 300;

// Whether what is cut off there stays cut off whatever we do: a pipe, a device. A file has no name
// yet.
bool IsStream(const Output& output) {
  struct stat status;
  if (output.path.empty()) return true;
  return stat(output.path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

// What belongs to stdout stands there unless the output does.
int ReportFdOf(const ImageConversion& plan) {
  return plan.to_stdout() ? STDERR_FILENO : STDOUT_FILENO;
}

std::string LostWarning(const ImageConversion& plan, Pages lost) {
  return "stillframe: warning: " + std::to_string(lost.count) +
         " pages were lost when the image was made; " +
         (plan.format == SaveFormat::kCore
              ? "the core has no memory there, and lists them in a note\n"
              : "they are lost in this one as well\n");
}

// The writing on a thread of its own, so that a signal is heard while that waits for the output.
//
// Thread rule: the main thread; Convert is the other one.
class Conversion {
 public:
  explicit Conversion(const ImageConversion& plan)
      : plan_(plan), loop_(g_main_loop_new(nullptr, FALSE)) {}
  Conversion(const Conversion&) = delete;
  Conversion& operator=(const Conversion&) = delete;
  ~Conversion() { g_main_loop_unref(loop_); }

  Result<ConvertedImage> Run() {
    g_unix_signal_add(SIGINT, &OnInterrupt, this);
    g_unix_signal_add(SIGTERM, &OnTerminate, this);
    g_unix_signal_add(SIGUSR1, &OnStatus, this);
    Start();
    g_main_loop_run(loop_);
    thread_.join();
    return *std::move(result_);
  }
  // The signal that ended us; 0 for none.
  int signal() const { return signal_; }

 private:
  void Start() {
    const AllSignalsBlocked blocked;  // they are the main thread's
    thread_ = std::thread([this] {
      result_ = WithoutExceptions("while an image was copied", [this] { return Convert(); });
      g_idle_add(&OnDone, this);
    });
  }

  // Has `sink` interrupted by Cancel, as long as this is there.
  class Interruptible {
   public:
    Interruptible(Conversion& conversion, PageSink& sink) : conversion_(conversion) {
      conversion_.SetSink(&sink);
    }
    Interruptible(const Interruptible&) = delete;
    Interruptible& operator=(const Interruptible&) = delete;
    ~Interruptible() { conversion_.SetSink(nullptr); }

   private:
    Conversion& conversion_;
  };

  void SetSink(PageSink* sink) {
    const std::lock_guard lock(mutex_);
    sink_ = sink;
  }

  Result<ConvertedImage> Convert() {
    STILLFRAME_ASSIGN(const std::unique_ptr<ImageReader> image,
                      ImageReader::Open(plan_.from, plan_.reading));
    STILLFRAME_ASSIGN(const auto sink, plan_.open(*image));
    const Interruptible interruptible(*this, *sink);
    const auto cancelled = [this] { return cancelled_.load(std::memory_order_relaxed); };
    if (const auto copied = CopyImageTo(*image, *sink, cancelled); !copied) {
      const bool interrupted = copied.error().code == ErrorCode::kInterrupted;
      return tl::unexpected(interrupted ? Interrupted() : copied.error());
    }
    return ConvertedOf(*image, plan_.format, sink->counters());
  }

  Error Interrupted() const {
    return {
        .code = ErrorCode::kInterrupted,
        .message = IsStream(plan_.output)
                       ? "interrupted; the " + std::string(FormatName(plan_.format)) + " is cut off"
                       : "interrupted; nothing was written",
        .hint = {}};
  }

  static gboolean OnInterrupt(gpointer self) {
    return static_cast<Conversion*>(self)->Cancel(SIGINT);
  }
  static gboolean OnTerminate(gpointer self) {
    return static_cast<Conversion*>(self)->Cancel(SIGTERM);
  }
  static gboolean OnStatus(gpointer data) {
    const ImageConversion& plan = static_cast<Conversion*>(data)->plan_;
    PrintErr("stillframe: writing " + Printable(plan.file) + " from " + Printable(plan.from) +
             "\n");
    return G_SOURCE_CONTINUE;
  }
  static gboolean OnDone(gpointer self) {
    g_main_loop_quit(static_cast<Conversion*>(self)->loop_);
    return G_SOURCE_REMOVE;
  }

  // Nothing has to be undone: the end of the process is the way out of what can't be interrupted,
  // as the opening of a FIFO that nobody reads.
  static gboolean OnStillWriting(gpointer data) {
    auto* self = static_cast<Conversion*>(data);
    const ImageConversion& plan = self->plan_;
    if (IsStream(plan.output)) {
      _exit(EndWithError(ConversionVerb(plan.format), self->Interrupted(), plan.json,
                         ReportFdOf(plan), self->signal_));
    }
    return G_SOURCE_REMOVE;
  }

  gboolean Cancel(int signal) {
    if (signal_ == 0) {
      signal_ = signal;
      g_timeout_add(kStreamPatienceMs, &OnStillWriting, this);
    }
    cancelled_.store(true, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    if (sink_ != nullptr) sink_->Interrupt();
    return G_SOURCE_CONTINUE;
  }

  const ImageConversion& plan_;
  GMainLoop* const loop_;
  std::thread thread_;
  std::optional<Result<ConvertedImage>> result_;  // the thread's, until it is joined
  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;
  PageSink* sink_ = nullptr;  // the thread's, while it writes
  int signal_ = 0;
};

}  // namespace

Bytes MemoryForCore() { return AvailableMemory() / 2; }

int RunConversion(const ImageConversion& plan) {
  Conversion conversion(plan);
  const std::string_view verb = ConversionVerb(plan.format);
  const auto converted = conversion.Run();
  if (!converted) {
    return EndWithError(verb, converted.error(), plan.json, ReportFdOf(plan), conversion.signal());
  }
  std::string report;
  if (plan.json) {
    report = DumpJson(ConvertedToJson(*converted, plan.from, plan.file)) + "\n";
  } else if (!plan.quiet) {
    report = ConvertedToText(*converted, plan.from, plan.file, plan.verbose);
  }
  const bool lost = converted->pages.lost.count > 0;
  if (lost && !plan.json) PrintErr(LostWarning(plan, converted->pages.lost));
  const auto printed = WriteAll(ReportFdOf(plan), std::as_bytes(std::span(report)));
  if (!printed) return EndWithError(verb, printed.error(), false);
  return lost ? kExitPagesLost : kExitDone;
}

int ConvertToCore(const SaveArguments& arguments) {
  ImageConversion plan{.format = SaveFormat::kCore,
                       .from = arguments.from,
                       .file = arguments.file,
                       .output = arguments.output(),
                       .open = nullptr,
                       .json = arguments.json,
                       .quiet = arguments.quiet,
                       .verbose = arguments.verbose};
  plan.open = [&plan](const ImageReader& image) {
    return CreateCore(plan.output, {.lost = LostRanges(image), .memory = MemoryForCore()});
  };
  return RunConversion(plan);
}

}  // namespace stillframe
