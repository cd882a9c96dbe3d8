#include "cli/trace_file.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "cli/stream.h"

namespace stillframe {

Result<std::unique_ptr<TraceFile>> TraceFile::Open(const std::string& path) {
  if (path.empty()) return nullptr;
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) {
    return FailErrno(errno, "opening '" + path + "' for the trace",
                     "--trace needs a path that can be written", ErrorCode::kUsage);
  }
  return std::unique_ptr<TraceFile>(new TraceFile(path, std::move(fd)));
}

Result<void> TraceFile::Write() {
  const std::string text = EncodeTrace(trace_);
  Result<void> written = WriteAll(fd_.get(), std::as_bytes(std::span(text)));
  if (!written) {
    Error error = std::move(written).error();
    error.message = "writing the trace '" + path_ + "': " + error.message;
    error.hint = "the save itself is not concerned";
    return tl::unexpected(std::move(error));
  }
  return {};
}

}  // namespace stillframe
