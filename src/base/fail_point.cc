#include "base/fail_point.h"

#ifdef STILLFRAME_FAIL_POINTS

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>

namespace stillframe {
namespace {

// One page, shared with forked helpers.
struct FailPointState {
  pid_t command = 0;
  char name[128] = {};
  long at = 0;  // 0: nowhere
  int trace = -1;
  std::atomic<long> count = 0;
};

FailPointState* state = nullptr;

}  // namespace

void InitFailPoints() {
  const char* spec = std::getenv("STILLFRAME_FAIL_POINT");
  const char* trace = std::getenv("STILLFRAME_FAIL_TRACE");
  if (state != nullptr || (spec == nullptr && trace == nullptr)) return;
  void* page = mmap(nullptr, sizeof(FailPointState), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  state = new (page) FailPointState;
  state->command = getpid();
  if (trace != nullptr) {
    state->trace = open(trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
  if (spec != nullptr) {
    const std::string_view text(spec);
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon >= sizeof(state->name)) return;
    text.copy(state->name, colon);
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), state->at);
  }
}

void FailPoint(std::string_view name) {
  if (state == nullptr) return;
  if (state->trace >= 0) {
    char line[128];
    const size_t length = name.copy(line, sizeof(line) - 1);
    line[length] = '\n';
    // A lost line would only make the test kill us less often.
    [[maybe_unused]] const ssize_t n = write(state->trace, line, length + 1);
  }
  if (state->at > 0 && name == state->name && ++state->count == state->at) {
    kill(state->command, SIGKILL);
    if (getpid() == state->command) {
      for (;;) pause();
    }
  }
}

}  // namespace stillframe

#else

// Keeps the library's list of objects the same in every preset.
namespace stillframe {
extern const int kFailPointsCompiledAway;
const int kFailPointsCompiledAway = 1;
}  // namespace stillframe

#endif
