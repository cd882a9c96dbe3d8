// The progress of a save on stderr.
#ifndef STILLFRAME_CLI_PROGRESS_LINE_H_
#define STILLFRAME_CLI_PROGRESS_LINE_H_

#include <string_view>

#include "cli/save_arguments.h"
#include "stillframe/save.h"

namespace stillframe {

// Thread rule: one thread.
class ProgressLine {
 public:
  // `verb`: a literal; whose progress it is.
  ProgressLine(std::string_view verb, ProgressStyle style) : verb_(verb), style_(style) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { Clear(); }

  // How often Show should be called; zero: not at all.
  std::chrono::milliseconds interval() const;
  // Draws the bar over the one before, or prints one JSON object on a line.
  void Show(const SaveProgress& progress);
  // A whole line for a person, whatever the style.
  void ShowStatus(const SaveProgress& progress);
  // Takes the bar away, so that something else can be printed.
  void Clear();

 private:
  const std::string_view verb_;
  const ProgressStyle style_;
  bool drawn_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_CLI_PROGRESS_LINE_H_
