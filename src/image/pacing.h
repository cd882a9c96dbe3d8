// The pace at which an output may be written to.
#ifndef STILLFRAME_IMAGE_PACING_H_
#define STILLFRAME_IMAGE_PACING_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// See PageSink::SetPacer. Without one, nothing is held back. Thread rule: one thread.
class Pacing {
 public:
  void Set(std::function<Result<void>(Bytes)> pacer, Bytes largest) {
    pacer_ = std::move(pacer);
    largest_ = std::max(largest, kPageSize);  // a piece of nothing would never end
  }

  bool is_set() const { return pacer_ != nullptr; }

  // Calls `send` with the pieces of what goes out, [at, at + size) of `bytes`, each in its turn.
  // The first error ends it.
  template <class Send>
  Result<void> InPieces(uint64_t bytes, Send send) const {
    for (uint64_t at = 0; at < bytes;) {
      const uint64_t size = std::min(bytes - at, largest_.count);
      if (pacer_) STILLFRAME_TRY(pacer_(Bytes{size}));
      STILLFRAME_TRY(send(at, size));
      at += size;
    }
    return {};
  }

 private:
  std::function<Result<void>(Bytes)> pacer_;
  Bytes largest_{std::numeric_limits<uint64_t>::max()};
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_PACING_H_
