#include "evaluate/check_failure.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace stillframe::evaluate {

void FailCheck(std::string_view part, std::string_view what, const void* address) {
  std::fprintf(stderr, "wrong memory: %.*s: %.*s at %p\n", static_cast<int>(part.size()),
               part.data(), static_cast<int>(what.size()), what.data(), address);
  std::fflush(stderr);
  _exit(kWrongMemoryExit);
}

void FailCall(std::string_view part, std::string_view call) {
  const int error = errno;
  std::fprintf(stderr, "workload: %.*s: %.*s: %s\n", static_cast<int>(part.size()), part.data(),
               static_cast<int>(call.size()), call.data(), std::strerror(error));
  std::fflush(stderr);
  _exit(kBrokenExit);
}

}  // namespace stillframe::evaluate
