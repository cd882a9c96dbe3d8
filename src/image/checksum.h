// The one checksum of the format: XXH3, 64 bits, seed 0, by the widest instructions this CPU has.
#ifndef STILLFRAME_IMAGE_CHECKSUM_H_
#define STILLFRAME_IMAGE_CHECKSUM_H_

#include <xxh_x86dispatch.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "image/wire.h"

namespace stillframe {

inline uint64_t Checksum(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

// Of a header or trailer, whose last field is the checksum of all before it.
template <WireStruct T>
uint64_t ChecksumBeforeLast(const T& frame) {
  return Checksum(std::as_bytes(std::span(&frame, 1)).first(sizeof(T) - sizeof(uint64_t)));
}

// The same of bytes that come in pieces.
class RunningChecksum {
 public:
  RunningChecksum() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }
  void Add(std::span<const std::byte> bytes) {
    XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
  }
  uint64_t value() const { return XXH3_64bits_digest(state_.get()); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_CHECKSUM_H_
