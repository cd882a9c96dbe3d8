// Messages for a person, handed to whoever asked for them. Never called on the fault path.
#ifndef STILLFRAME_BASE_LOG_H_
#define STILLFRAME_BASE_LOG_H_

#include <functional>
#include <string>

namespace stillframe {

enum class LogLevel { kDebug, kInfo, kWarning };

// Passed down by whoever wants to be told; empty: nobody.
using LogFunction = std::function<void(LogLevel, const std::string&)>;

// Calls `log` if there is one.
void Log(const LogFunction& log, LogLevel level, const std::string& message);

}  // namespace stillframe

#endif  // STILLFRAME_BASE_LOG_H_
