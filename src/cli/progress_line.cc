#include "cli/progress_line.h"

#include "cli/stream.h"
#include "report/progress_report.h"

namespace stillframe {
namespace {

// To the first column, and the rest of the line away.
constexpr char kClearLine[] = "\r\x1b[K";

}  // namespace

std::chrono::milliseconds ProgressLine::interval() const {
  switch (style_) {
    case ProgressStyle::kNone:
      return std::chrono::milliseconds(0);
    case ProgressStyle::kBar:
      return std::chrono::milliseconds(100);
    case ProgressStyle::kJson:
      return std::chrono::milliseconds(250);
  }
  return std::chrono::milliseconds(0);
}

void ProgressLine::Show(const SaveProgress& progress) {
  if (style_ == ProgressStyle::kBar) {
    PrintErr(kClearLine + ProgressToBar(progress));
    drawn_ = true;
  } else if (style_ == ProgressStyle::kJson) {
    PrintErr(DumpJson(ProgressToJson(verb_, progress)) + "\n");
  }
}

void ProgressLine::ShowStatus(const SaveProgress& progress) {
  Clear();
  PrintErr("stillframe: " + ProgressToStatus(progress) + "\n");
}

void ProgressLine::Clear() {
  if (drawn_) PrintErr(kClearLine);
  drawn_ = false;
}

}  // namespace stillframe
