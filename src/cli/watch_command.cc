#include <glib-unix.h>
#include <glib.h>

#include <csignal>
#include <string>

#include "cli/command.h"
#include "cli/stream.h"
#include "cli/watch_arguments.h"
#include "cli/watch_job.h"
#include "image/block_codec.h"
#include "report/summary_report.h"
#include "report/text.h"

namespace stillframe {
namespace {

// The main loop around a watch: signals in, a line for each image out.
//
// Thread rule: the main thread; what the job tells is printed on the job's.
class WatchLoop {
 public:
  explicit WatchLoop(const WatchArguments& arguments)
      : arguments_(arguments),
        loop_(g_main_loop_new(nullptr, FALSE)),
        job_(arguments,
             {.saved = [this](const auto& summary, const auto& path) { ShowSaved(summary, path); },
              .pruned = [this](size_t count) { ShowPruned(count); },
              .failed = [this](const Error& error) { ShowFailed(error); },
              .warned = [this](const Error& error) { ShowWarning(error); },
              .done = [this] { g_idle_add(&OnDone, this); }}) {}
  WatchLoop(const WatchLoop&) = delete;
  WatchLoop& operator=(const WatchLoop&) = delete;
  ~WatchLoop() { g_main_loop_unref(loop_); }

  Result<void> Run() {
    g_unix_signal_add(SIGINT, &OnSignal, this);
    g_unix_signal_add(SIGTERM, &OnSignal, this);
    job_.Start();
    g_main_loop_run(loop_);
    return job_.Take();
  }

 private:
  // A reader that went away is no reason to stop saving; one that does not read holds up the next
  // image, but no signal.
  void Tell(const std::string& line) const {
    static_cast<void>(PrintOutUnless(line, [this] { return job_.IsCancelled(); }));
  }
  void ShowSaved(const SaveSummary& summary, const std::string& path) const {
    const std::string_view codec = CodecName(arguments_.image.compression.codec);
    if (arguments_.json) {
      Tell(SummaryToJson(summary, path, SaveFormat::kImage, codec).dump() + "\n");
    } else if (!arguments_.quiet) {
      const Pages data = summary.pages.scanned + summary.pages.faulted + summary.pages.paused;
      Tell(Printable(path) + ": " + FormatCount(data.count) + " of " +
           FormatCount(summary.total.count) + " pages written, " + FormatBytes(summary.image) +
           " in " + FormatDuration(summary.duration) + ", pause " + FormatDuration(summary.pause) +
           "\n");
    }
    PrintErr(SkippedWarning(summary));
  }
  void ShowPruned(size_t count) const {
    if (arguments_.quiet || arguments_.json) return;
    Tell(FormatCount(count) + " older images removed, the oldest that is left is whole\n");
  }
  void ShowFailed(const Error& error) const {
    PrintErr("stillframe: warning: this image was not written, the next one will be tried: " +
             error.message + "\n");
  }

  void ShowWarning(const Error& error) const {
    PrintErr("stillframe: warning: " + error.message + "\n");
  }

  static gboolean OnSignal(gpointer self) {
    static_cast<WatchLoop*>(self)->job_.Cancel();
    return G_SOURCE_CONTINUE;
  }
  static gboolean OnDone(gpointer self) {
    g_main_loop_quit(static_cast<WatchLoop*>(self)->loop_);
    return G_SOURCE_REMOVE;
  }

  const WatchArguments& arguments_;
  GMainLoop* const loop_;
  WatchJob job_;
};

}  // namespace

int RunWatch(const std::vector<std::string>& arguments) {
  const auto parsed = ParseWatchArguments(arguments);
  if (!parsed) return EndWithError("watch", parsed.error(), WantsJson(arguments));
  if (!parsed->help.empty()) return EndWithReport("watch", parsed->help);
  const auto watched = WatchLoop(*parsed).Run();
  // A signal is how a watch ends.
  return watched ? 0 : EndWithError("watch", watched.error(), parsed->json);
}

}  // namespace stillframe
