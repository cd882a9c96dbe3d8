// Makes a block of pages smaller, and what was made of it whole again.
#ifndef STILLFRAME_IMAGE_BLOCK_CODEC_H_
#define STILLFRAME_IMAGE_BLOCK_CODEC_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "image/wire.h"
#include "stillframe/error.h"
#include "stillframe/image.h"

namespace stillframe {

// Holds the working memory of its codec. Thread rule: one thread at a time.
class BlockEncoder {
 public:
  // Errors: kUsage for a level that the codec doesn't have, kLimit without memory for it.
  static Result<std::unique_ptr<BlockEncoder>> Create(const Compression& compression);

  BlockEncoder(const BlockEncoder&) = delete;
  BlockEncoder& operator=(const BlockEncoder&) = delete;
  virtual ~BlockEncoder() = default;

  virtual WireEncoding encoding() const = 0;
  // Encodes `block`, of 1 to kMaxBlockPages pages, into `to`, which is at least as long. Returns
  // how many bytes it took; 0 where that is not at least a 32nd less than the block, which is then
  // better stored raw: to read it costs nothing.
  virtual size_t Encode(std::span<const std::byte> block, std::span<std::byte> to) = 0;

 protected:
  BlockEncoder() = default;
};

// What a codec is called in options and reports: "none", "lz4", "zstd".
std::string_view CodecName(Codec codec);

// Fills `block` from `stored`, which may be anything. False unless that is exactly as long.
// Any thread.
bool DecodeBlock(WireEncoding encoding, std::span<const std::byte> stored,
                 std::span<std::byte> block);
// The same where only the first `wanted` bytes are: what is behind them is undefined, and what is
// wrong there may go unseen. Saves time with LZ4, whose blocks can be decoded in part.
bool DecodeBlockUpTo(size_t wanted, WireEncoding encoding, std::span<const std::byte> stored,
                     std::span<std::byte> block);

}  // namespace stillframe

#endif  // STILLFRAME_IMAGE_BLOCK_CODEC_H_
