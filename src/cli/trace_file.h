// The file of `save --trace`.
#ifndef STILLFRAME_CLI_TRACE_FILE_H_
#define STILLFRAME_CLI_TRACE_FILE_H_

#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "stillframe/error.h"
#include "stillframe/save_trace.h"

namespace stillframe {

// Opened before the save, so that a path that can't be written ends it before anything is touched,
// and written after it.
//
// Thread rule: one thread; `trace` is the save's while that runs.
class TraceFile {
 public:
  // Truncates a file that is there. Null for an empty path. Errors: kOutput, kPermission, kUsage.
  static Result<std::unique_ptr<TraceFile>> Open(const std::string& path);

  SaveTrace* trace() { return &trace_; }
  // Errors: kOutput.
  Result<void> Write();

 private:
  TraceFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  const std::string path_;
  UniqueFd fd_;
  SaveTrace trace_;
};

}  // namespace stillframe

#endif  // STILLFRAME_CLI_TRACE_FILE_H_
