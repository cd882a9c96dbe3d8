#include "base/log.h"

namespace stillframe {

void Log(const LogFunction& log, LogLevel level, const std::string& message) {
  if (log) log(level, message);
}

}  // namespace stillframe
