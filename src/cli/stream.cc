#include "cli/stream.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "cli/exit_code.h"
#include "report/error_report.h"

namespace stillframe {

Result<void> WriteAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return FailErrno(errno, fd == STDOUT_FILENO ? "write to stdout" : "write to stderr", {},
                       ErrorCode::kOutput);
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Result<void> PrintOut(std::string_view text) {
  return WriteAll(STDOUT_FILENO, std::as_bytes(std::span(text)));
}

Result<void> PrintOutUnless(std::string_view text, const std::function<bool()>& given_up) {
  constexpr int kLookMs = 200;
  while (!text.empty()) {
    // Writable is a pipe that takes PIPE_BUF bytes at once (pipe(7)): so much does not block. A
    // terminal may, whose other end stopped reading with room for a part of a line.
    pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
    if (poll(&out, 1, kLookMs) <= 0) {
      if (given_up()) return Fail(ErrorCode::kInterrupted, "write to stdout");
      continue;
    }
    const std::string_view piece = text.substr(0, PIPE_BUF);
    STILLFRAME_TRY(PrintOut(piece));
    text.remove_prefix(piece.size());
  }
  return {};
}

void PrintErr(std::string_view text) {
  [[maybe_unused]] const auto written = WriteAll(STDERR_FILENO, std::as_bytes(std::span(text)));
}

bool WantsJson(const std::vector<std::string>& arguments) {
  const auto end = std::ranges::find(arguments, "--");
  return std::find(arguments.begin(), end, "--json") != end;
}

int EndWithError(std::string_view verb, const Error& error, bool json, int json_fd, int signal) {
  PrintErr(ErrorToText(error));
  if (json) {
    const std::string line = DumpJson(ErrorToJson(verb, error)) + "\n";
    [[maybe_unused]] const auto written = WriteAll(json_fd, std::as_bytes(std::span(line)));
  }
  return ExitCodeOf(error.code, signal);
}

int EndWithReport(std::string_view verb, std::string_view text) {
  const auto printed = PrintOut(text);
  return printed ? kExitDone : EndWithError(verb, printed.error(), false);
}

}  // namespace stillframe
