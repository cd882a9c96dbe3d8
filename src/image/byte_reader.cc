#include "image/byte_reader.h"

namespace stillframe {

std::span<const std::byte> ByteReader::Take(size_t length) {
  if (!ok_ || length > bytes_.size()) {
    ok_ = false;
    return {};
  }
  const auto taken = bytes_.first(length);
  bytes_ = bytes_.subspan(length);
  return taken;
}

std::string ByteReader::ReadString(uint32_t length) {
  const auto bytes = Take(length);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ByteVector ByteReader::ReadBytes(uint32_t length) {
  const auto bytes = Take(length);
  return {bytes.begin(), bytes.end()};
}

}  // namespace stillframe
