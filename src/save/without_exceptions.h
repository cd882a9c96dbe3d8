// Where the standard library throws, an error is made of it.
#ifndef STILLFRAME_SAVE_WITHOUT_EXCEPTIONS_H_
#define STILLFRAME_SAVE_WITHOUT_EXCEPTIONS_H_

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "stillframe/error.h"

namespace stillframe {

// Calls `step`, which returns a Result, and makes an error of memory or a thread that can't be had:
// whatever becomes of us, the target must run on. `when`: "while saving".
template <class Step>
auto WithoutExceptions(const char* when, Step&& step) -> decltype(step()) {
  try {
    return std::forward<Step>(step)();
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kLimit, std::string("out of memory ") + when,
                "a smaller --stage, or --filter to leave mappings out");
  } catch (const std::exception& exception) {
    return Fail(ErrorCode::kLimit,
                std::string("the system refused us something ") + when + ": " + exception.what(),
                "look at the limits of threads and processes (ulimit -u, pids.max)");
  }
}

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_WITHOUT_EXCEPTIONS_H_
