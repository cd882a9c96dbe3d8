// Takes structures and bytes off the front of a section that may hold anything.
#ifndef STILLFRAME_IMAGE_BYTE_READER_H_
#define STILLFRAME_IMAGE_BYTE_READER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "image/wire.h"
#include "stillframe/process_state.h"

namespace stillframe {

// Once a read failed for lack of bytes every later one does, so that a caller needs to look only at
// the end. Nothing is allocated beyond what is there.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  // All zero when there is not enough.
  template <WireStruct T>
  T Read() {
    T value{};
    const auto from = Take(sizeof(T));
    if (!from.empty()) std::memcpy(&value, from.data(), sizeof(T));
    return value;
  }
  std::string ReadString(uint32_t length);
  ByteVector ReadBytes(uint32_t length);
  // Reserved fields and the like: a false one counts as a failed read.
  void Require(bool condition) { ok_ = ok_ && condition; }

  bool ok() const { return ok_; }
  // Everything was read and nothing is left over.
  bool complete() const { return ok_ && bytes_.empty(); }

 private:
  std::span<const std::byte> Take(size_t length);

  std::span<const std::byte> bytes_;
  bool ok_ = true;
};

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_BYTE_READER_H_
