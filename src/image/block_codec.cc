#include "image/block_codec.h"

#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/mapped_memory.h"
#include "stillframe/units.h"

namespace stillframe {
namespace {

constexpr int kFastestLz4 = 65537;  // larger values are taken for this one
constexpr int kLowestZstd = -7;
constexpr int kHighestZstd = 19;  // the levels above need far more memory to read as well

// The most that an encoded block may take.
size_t WorthIt(size_t block) { return block - block / 32; }

int ToInt(size_t size) { return static_cast<int>(size); }

class RawEncoder final : public BlockEncoder {
 public:
  WireEncoding encoding() const override { return WireEncoding::kRaw; }
  size_t Encode(std::span<const std::byte>, std::span<std::byte>) override { return 0; }
};

class Lz4Encoder final : public BlockEncoder {
 public:
  explicit Lz4Encoder(int acceleration) : acceleration_(acceleration) { state_.Populate(); }

  WireEncoding encoding() const override { return WireEncoding::kLz4; }
  size_t Encode(std::span<const std::byte> block, std::span<std::byte> to) override {
    const int written = LZ4_compress_fast_extState(
        state_.data(), reinterpret_cast<const char*>(block.data()),
        reinterpret_cast<char*>(to.data()), ToInt(block.size()),
        ToInt(std::min(to.size(), WorthIt(block.size()))), acceleration_);
    return written > 0 ? static_cast<size_t>(written) : 0;
  }

 private:
  const int acceleration_;
  // Not on the heap, which may be write-protected while its own process is saved.
  MappedMemory state_{Bytes{static_cast<uint64_t>(LZ4_sizeofState())}};
};

class ZstdEncoder final : public BlockEncoder {
 public:
  static Result<std::unique_ptr<BlockEncoder>> Create(int level) {
    auto encoder = std::make_unique<ZstdEncoder>();
    if (encoder->context_ == nullptr || !encoder->Prepare(level)) {
      return Fail(ErrorCode::kLimit, "no memory for zstd at level " + std::to_string(level),
                  "a lower level needs less, lz4 hardly any");
    }
    return encoder;
  }

  WireEncoding encoding() const override { return WireEncoding::kZstd; }
  size_t Encode(std::span<const std::byte> block, std::span<std::byte> to) override {
    const size_t written =
        ZSTD_compress2(context_.get(), to.data(), std::min(to.size(), WorthIt(block.size())),
                       block.data(), block.size());
    return ZSTD_isError(written) != 0 ? 0 : written;
  }

 private:
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };

  // Encodes the largest block there may be, so that the context has all its memory: later on there
  // may be none, or whoever holds the heap's lock may wait for us.
  bool Prepare(int level) {
    if (ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level)) != 0) {
      return false;
    }
    const std::vector<std::byte> largest(kMaxBlockPages * kPageSize.count);
    std::vector<std::byte> to(largest.size());
    return Encode(largest, to) > 0;
  }

  const std::unique_ptr<ZSTD_CCtx, Free> context_{ZSTD_createCCtx()};
};

tl::unexpected<Error> NoSuchLevel(const Compression& compression, const char* levels) {
  return Fail(ErrorCode::kUsage,
              std::string(CodecName(compression.codec)) + " has no level " +
                  std::to_string(compression.level),
              levels);
}

bool DecodeLz4(std::span<const std::byte> stored, std::span<std::byte> block) {
  const int written = LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()),
                                          reinterpret_cast<char*>(block.data()),
                                          ToInt(stored.size()), ToInt(block.size()));
  return written >= 0 && static_cast<size_t>(written) == block.size();
}

bool DecodeLz4UpTo(size_t wanted, std::span<const std::byte> stored, std::span<std::byte> block) {
  const int written = LZ4_decompress_safe_partial(
      reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(block.data()),
      ToInt(stored.size()), ToInt(wanted), ToInt(block.size()));
  return written >= 0 && static_cast<size_t>(written) >= wanted;
}

struct FreeDecoder {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// One frame, that of today's format and nothing behind it. The library would read several, those of
// its early versions too, and pass over others.
bool IsOneFrame(std::span<const std::byte> stored, size_t content) {
  uint32_t magic = 0;
  if (stored.size() < sizeof(magic)) return false;
  std::memcpy(&magic, stored.data(), sizeof(magic));
  return magic == ZSTD_MAGICNUMBER &&
         ZSTD_getFrameContentSize(stored.data(), stored.size()) == content &&
         ZSTD_findFrameCompressedSize(stored.data(), stored.size()) == stored.size();
}

// In one go, straight into the block: whatever window the frame asks for, no memory is taken for
// it.
bool DecodeZstd(std::span<const std::byte> stored, std::span<std::byte> block) {
  if (!IsOneFrame(stored, block.size())) return false;
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeDecoder> context(ZSTD_createDCtx());
  if (context == nullptr) return false;
  const size_t written =
      ZSTD_decompressDCtx(context.get(), block.data(), block.size(), stored.data(), stored.size());
  return ZSTD_isError(written) == 0 && written == block.size();
}

}  // namespace

Result<std::unique_ptr<BlockEncoder>> BlockEncoder::Create(const Compression& compression) {
  const int level = compression.level;
  switch (compression.codec) {
    case Codec::kNone:
      return std::make_unique<RawEncoder>();
    case Codec::kLz4:
      if (level < 1 || level > kFastestLz4) {
        return NoSuchLevel(compression, "its accelerations are 1 to 65537");
      }
      return std::make_unique<Lz4Encoder>(level);
    case Codec::kZstd:
      if (level < kLowestZstd || level > kHighestZstd || level == 0) {
        return NoSuchLevel(compression, "its levels are -7 to -1 and 1 to 19");
      }
      return ZstdEncoder::Create(level);
  }
  return Fail(ErrorCode::kInternal, "there is no such codec");
}

std::string_view CodecName(Codec codec) {
  switch (codec) {
    case Codec::kNone:
      return "none";
    case Codec::kLz4:
      return "lz4";
    case Codec::kZstd:
      return "zstd";
  }
  return "unknown";
}

bool DecodeBlockUpTo(size_t wanted, WireEncoding encoding, std::span<const std::byte> stored,
                     std::span<std::byte> block) {
  const bool in_part = encoding == WireEncoding::kLz4 && wanted < block.size() && !stored.empty() &&
                       stored.size() <= INT_MAX && block.size() <= INT_MAX;
  return in_part ? DecodeLz4UpTo(wanted, stored, block) : DecodeBlock(encoding, stored, block);
}

bool DecodeBlock(WireEncoding encoding, std::span<const std::byte> stored,
                 std::span<std::byte> block) {
  if (stored.empty() || block.empty() || stored.size() > INT_MAX || block.size() > INT_MAX) {
    return false;
  }
  switch (encoding) {
    case WireEncoding::kRaw:
      if (stored.size() != block.size()) return false;
      std::memcpy(block.data(), stored.data(), block.size());
      return true;
    case WireEncoding::kLz4:
      return DecodeLz4(stored, block);
    case WireEncoding::kZstd:
      return DecodeZstd(stored, block);
  }
  return false;
}

}  // namespace stillframe
