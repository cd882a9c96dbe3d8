// Writing to stdout and stderr.
#ifndef STILLFRAME_CLI_STREAM_H_
#define STILLFRAME_CLI_STREAM_H_

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "report/json.h"
#include "stillframe/error.h"

namespace stillframe {

// All of it, in spite of signals and short writes. Errors: kOutput.
Result<void> WriteAll(int fd, std::span<const std::byte> bytes);
Result<void> PrintOut(std::string_view text);
// The same to a reader who may have stopped reading: gives up once `given_up` says so, which is
// asked a few times a second while stdout takes nothing. Errors: also kInterrupted.
Result<void> PrintOutUnless(std::string_view text, const std::function<bool()>& given_up);
// What can't be told on stderr can't be told at all, so no error.
void PrintErr(std::string_view text);

// Whether --json stands among the arguments: for errors that are found before they are parsed.
bool WantsJson(const std::vector<std::string>& arguments);

// How a verb ends that failed: message and hint on stderr; with `json` also the error object as a
// line of `json_fd`. Returns the exit code.
int EndWithError(std::string_view verb, const Error& error, bool json, int json_fd = 1,
                 int signal = 0);

// Prints a report to stdout; returns 0, or what EndWithError does when that failed.
int EndWithReport(std::string_view verb, std::string_view text);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_STREAM_H_
