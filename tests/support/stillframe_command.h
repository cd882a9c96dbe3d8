// Runs the command under test.
#ifndef STILLFRAME_TESTS_SUPPORT_STILLFRAME_COMMAND_H_
#define STILLFRAME_TESTS_SUPPORT_STILLFRAME_COMMAND_H_

#include <sys/types.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/subprocess.h"

namespace stillframe::test {

// The README's table.
inline constexpr int kExitDone = 0;
inline constexpr int kExitOther = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitLimit = 3;
inline constexpr int kExitTargetGone = 4;
inline constexpr int kExitPermission = 5;
inline constexpr int kExitUnsupported = 6;
inline constexpr int kExitDamaged = 7;
inline constexpr int kExitOutput = 8;
inline constexpr int kExitLost = 9;
inline constexpr int kExitSigint = 130;
inline constexpr int kExitSigterm = 143;
inline constexpr int kExitSigkill = 137;

struct CommandOutcome {
  int exit_code = -1;   // -1: it hung and was killed
  nlohmann::json json;  // what --json printed; null when that was no JSON
  std::string out;
  std::string err;
};

std::vector<std::string> StillframeArgv(std::vector<std::string> arguments);
// "save PID -o IMAGE --json --progress none" and then `more`.
std::vector<std::string> SaveArgv(pid_t pid, const std::string& image,
                                  const std::vector<std::string>& more = {});

CommandOutcome RunStillframe(const std::vector<std::string>& arguments,
                             const SubprocessOptions& options = {}, double seconds = 120);
CommandOutcome RunSave(pid_t pid, const std::string& image,
                       const std::vector<std::string>& more = {},
                       const SubprocessOptions& options = {}, double seconds = 120);
// Of a command that was started with SaveArgv and has ended.
CommandOutcome OutcomeOf(Subprocess& process, double seconds = 120);

// The same two for "core PID -o CORE ...".
std::vector<std::string> CoreArgv(pid_t pid, const std::string& core,
                                  const std::vector<std::string>& more = {});
CommandOutcome RunCore(pid_t pid, const std::string& core,
                       const std::vector<std::string>& more = {},
                       const SubprocessOptions& options = {}, double seconds = 120);

// "--exec-paused CMD" that makes the oracle's copy into `directory`.
std::vector<std::string> WithOracle(const std::string& directory);

// What is wrong with the summary of a save that wrote an image: fields that are missing or of the
// wrong type, sums that don't add up. Empty when nothing is.
std::string WrongInSummary(const nlohmann::json& summary);
// The same for the object of a save that failed.
std::string WrongInError(const nlohmann::json& json);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_STILLFRAME_COMMAND_H_
