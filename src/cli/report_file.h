// The file of `save --report` and `core --report`.
#ifndef STILLFRAME_CLI_REPORT_FILE_H_
#define STILLFRAME_CLI_REPORT_FILE_H_

#include <memory>
#include <string>
#include <vector>

#include "report/html_page_recorder.h"
#include "report/save_format.h"
#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/save.h"
#include "stillframe/save_trace.h"

namespace stillframe {

// Notes what a save does, and draws it when it is over.
//
// Thread rule: one thread; what Record hands out is the save's while that runs.
class ReportFile {
 public:
  // Looks whether a file can be made there, so that a path that can't be written ends the save
  // before anything is touched. Null for an empty path. Errors: kOutput, kUsage.
  static Result<std::unique_ptr<ReportFile>> Plan(const std::string& path);

  // Has the pages that go into `sink` noted.
  std::unique_ptr<PageSink> Record(std::unique_ptr<PageSink> sink) const;

  // After a save that succeeded. `command`: the verb and its arguments as the user gave them.
  // Errors: kOutput; nothing is left behind then.
  Result<void> Write(const SaveSummary& summary, const std::string& output, SaveFormat format,
                     const SaveTrace& trace, const std::vector<std::string>& command) const;

 private:
  explicit ReportFile(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  const std::shared_ptr<HtmlPageRecord> pages_ = std::make_shared<HtmlPageRecord>();
};

}  // namespace stillframe

#endif  // STILLFRAME_CLI_REPORT_FILE_H_
