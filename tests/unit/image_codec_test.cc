// Each codec gives back what it was given, or says that it can't: whatever stands in the file.
#include <gtest/gtest.h>
#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "image/block_codec.h"
#include "stillframe/units.h"

namespace stillframe {
namespace {

using Block = std::vector<std::byte>;

constexpr size_t kPage = kPageSize.count;

Block Random(size_t bytes, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  Block block(bytes);
  for (std::byte& byte : block) byte = static_cast<std::byte>(random());
  return block;
}

// As memory is: small numbers, pointers that share their upper half, text.
Block Memory(size_t bytes, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  Block block(bytes);
  for (size_t at = 0; at < bytes; at += 16) {
    const uint64_t words[2] = {0x7f1200000000 + (random() % 0x100000) * 16, random() % 5};
    std::memcpy(block.data() + at, words, sizeof(words));
  }
  return block;
}

Block Text(size_t bytes) {
  constexpr std::string_view kText = "as of one instant; ";
  Block block(bytes);
  for (size_t i = 0; i < bytes; ++i) block[i] = static_cast<std::byte>(kText[i % kText.size()]);
  return block;
}

std::unique_ptr<BlockEncoder> Make(Compression compression) {
  auto encoder = BlockEncoder::Create(compression);
  EXPECT_TRUE(encoder) << encoder.error().message;
  return *std::move(encoder);
}

Block Encode(BlockEncoder& encoder, const Block& block) {
  Block stored(block.size(), std::byte{0xee});
  stored.resize(encoder.Encode(block, stored));
  return stored;
}

// What hostile bytes are decoded into: memory that ends with the block, where a sanitizer sees a
// write behind it.
bool Decodes(WireEncoding encoding, const Block& stored, size_t length, Block* block = nullptr) {
  const Block exact(stored);  // and nothing behind it to read
  Block to(length);
  static_cast<void>(DecodeBlockUpTo(length / 2, encoding, exact, to));
  const bool decoded = DecodeBlock(encoding, exact, to);
  if (block != nullptr) *block = std::move(to);
  return decoded;
}

std::vector<Compression> EachLevel() {
  std::vector<Compression> all;
  for (const int acceleration : {1, 2, 3, 8, 64, 1000, 65537}) {
    all.push_back({Codec::kLz4, acceleration});
  }
  for (int level = -7; level <= 19; ++level) {
    if (level != 0) all.push_back({Codec::kZstd, level});
  }
  return all;
}

std::string Name(const Compression& compression) {
  return std::string(CodecName(compression.codec)) + ":" + std::to_string(compression.level);
}

class ImageCodec : public testing::TestWithParam<Compression> {};

TEST_P(ImageCodec, WhatWasEncodedComesBack) {
  const auto encoder = Make(GetParam());
  // The same encoder for all of them, as a save uses it, of each size that a block may have.
  for (const size_t pages : std::initializer_list<size_t>{64, 1, 16, 3, 64, 4, 1, 63}) {
    for (const Block& block : {Memory(pages * kPage, pages), Text(pages * kPage),
                               Block(pages * kPage), Block(pages * kPage, std::byte{0xff})}) {
      const Block stored = Encode(*encoder, block);
      if (stored.empty()) continue;  // at a high acceleration that may be
      ASSERT_LE(stored.size(), block.size() - block.size() / 32);
      Block back;
      ASSERT_TRUE(Decodes(encoder->encoding(), stored, block.size(), &back)) << pages;
      ASSERT_TRUE(back == block) << pages;
    }
  }
}

TEST_P(ImageCodec, OfABlockItsFirstPagesComeBack) {
  const auto encoder = Make(GetParam());
  for (const Block& block : {Memory(8 * kPage, 5), Text(8 * kPage)}) {
    const Block stored = Encode(*encoder, block);
    if (stored.empty()) continue;
    for (size_t wanted = kPage; wanted <= block.size(); wanted += kPage) {
      Block back(block.size());
      ASSERT_TRUE(DecodeBlockUpTo(wanted, encoder->encoding(), stored, back));
      ASSERT_TRUE(
          std::equal(back.begin(), back.begin() + static_cast<ptrdiff_t>(wanted), block.begin()));
      // Where the first pages can't be had, that is told.
      const std::span<const std::byte> cut = std::span(stored).first(stored.size() / 16);
      if (wanted >= block.size() / 2) {
        EXPECT_FALSE(DecodeBlockUpTo(wanted, encoder->encoding(), cut, back)) << wanted;
      }
    }
  }
}

TEST_P(ImageCodec, WhatRepeatsGetsSmaller) {
  const auto encoder = Make(GetParam());
  for (const size_t pages : std::initializer_list<size_t>{1, 16, 64}) {
    EXPECT_GT(Encode(*encoder, Block(pages * kPage)).size(), 0u);
    EXPECT_LT(Encode(*encoder, Block(pages * kPage)).size(), pages * kPage / 50);
  }
}

TEST_P(ImageCodec, WhatGetsNoSmallerIsLeftAsItIs) {
  const auto encoder = Make(GetParam());
  for (const size_t pages : std::initializer_list<size_t>{1, 5, 64}) {
    EXPECT_EQ(Encode(*encoder, Random(pages * kPage)).size(), 0u);
    // One that failed spoils nothing for the next.
    EXPECT_GT(Encode(*encoder, Block(pages * kPage)).size(), 0u);
  }
}

TEST_P(ImageCodec, NothingIsWrittenBehindTheRoomThatIsGiven) {
  const auto encoder = Make(GetParam());
  const Block block = Memory(4 * kPage);
  Block room(block.size() + 64, std::byte{0xee});
  const size_t written = encoder->Encode(block, std::span(room).first(block.size()));
  ASSERT_LE(written, block.size());
  EXPECT_TRUE(std::all_of(room.begin() + static_cast<ptrdiff_t>(block.size()), room.end(),
                          [](std::byte b) { return b == std::byte{0xee}; }));
}

INSTANTIATE_TEST_SUITE_P(EachLevel, ImageCodec, testing::ValuesIn(EachLevel()),
                         [](const auto& info) {
                           std::string name = Name(info.param);
                           std::ranges::replace_if(
                               name, [](char c) { return c == ':' || c == '-'; }, '_');
                           return name;
                         });

TEST(ImageCodecs, JustALittleSmallerIsNotWorthReading) {
  for (const Compression compression :
       {Compression{Codec::kLz4, 1}, Compression{Codec::kZstd, 1}}) {
    const auto encoder = Make(compression);
    // All but a 64th of it random, then all but a 16th.
    Block block = Random(16 * kPage);
    std::fill(block.begin(), block.begin() + kPage / 4, std::byte{0});
    EXPECT_EQ(Encode(*encoder, block).size(), 0u);
    std::fill(block.begin(), block.begin() + kPage, std::byte{0});
    EXPECT_GT(Encode(*encoder, block).size(), 0u);
  }
}

TEST(ImageCodecs, NoneStoresAsItIs) {
  const auto encoder = Make({});
  EXPECT_EQ(encoder->encoding(), WireEncoding::kRaw);
  EXPECT_EQ(Encode(*encoder, Block(kPage)).size(), 0u);
  Block back;
  EXPECT_TRUE(Decodes(WireEncoding::kRaw, Text(kPage), kPage, &back));
  EXPECT_TRUE(back == Text(kPage));
  EXPECT_FALSE(Decodes(WireEncoding::kRaw, Text(kPage), kPage - 1));
  EXPECT_FALSE(Decodes(WireEncoding::kRaw, Text(kPage), kPage + 1));
}

TEST(ImageCodecs, ALevelThatACodecDoesNotHaveIsRefused) {
  for (const Compression wrong : {Compression{Codec::kLz4, 0},
                                  {Codec::kLz4, -1},
                                  {Codec::kLz4, 65538},
                                  {Codec::kZstd, 0},
                                  {Codec::kZstd, -8},
                                  {Codec::kZstd, 20}}) {
    const auto encoder = BlockEncoder::Create(wrong);
    ASSERT_FALSE(encoder) << Name(wrong);
    EXPECT_EQ(encoder.error().code, ErrorCode::kUsage);
    EXPECT_NE(encoder.error().message.find(std::to_string(wrong.level)), std::string::npos);
  }
}

TEST(ImageCodecs, AnotherLengthIsRefused) {
  for (const Compression compression :
       {Compression{Codec::kLz4, 1}, Compression{Codec::kZstd, 3}}) {
    const auto encoder = Make(compression);
    const Block block = Memory(4 * kPage);
    const Block stored = Encode(*encoder, block);
    ASSERT_TRUE(Decodes(encoder->encoding(), stored, block.size()));
    for (const size_t other :
         {size_t{0}, size_t{1}, kPage, block.size() - 1, block.size() + 1, 8 * kPage, 64 * kPage}) {
      EXPECT_FALSE(Decodes(encoder->encoding(), stored, other))
          << Name(compression) << " " << other;
    }
  }
}

TEST(ImageCodecs, WhatIsCutOffOrGoesOnIsRefused) {
  for (const Compression compression :
       {Compression{Codec::kLz4, 1}, Compression{Codec::kZstd, 3}}) {
    const auto encoder = Make(compression);
    const Block block = Memory(2 * kPage);
    const Block stored = Encode(*encoder, block);
    for (size_t length = 0; length < stored.size(); ++length) {
      const Block cut(stored.begin(), stored.begin() + static_cast<ptrdiff_t>(length));
      ASSERT_FALSE(Decodes(encoder->encoding(), cut, block.size())) << length;
    }
    for (const size_t more : std::initializer_list<size_t>{1, 4, 100}) {
      Block longer = stored;
      longer.resize(stored.size() + more);
      EXPECT_FALSE(Decodes(encoder->encoding(), longer, block.size())) << more;
    }
  }
}

// The checksum of the stored bytes finds these before; the decoder has to stand them all the same.
TEST(ImageCodecs, FlippedBitsNeitherCrashNorWriteElsewhere) {
  for (const Compression compression :
       {Compression{Codec::kLz4, 1}, Compression{Codec::kZstd, -1}, Compression{Codec::kZstd, 3}}) {
    const auto encoder = Make(compression);
    const Block block = Memory(kPage);
    Block stored = Encode(*encoder, block);
    for (size_t bit = 0; bit < stored.size() * 8; ++bit) {
      const auto mask = static_cast<std::byte>(1u << (bit % 8));
      stored[bit / 8] ^= mask;
      Decodes(encoder->encoding(), stored, block.size());
      Decodes(encoder->encoding(), stored, 64 * kPage);
      stored[bit / 8] ^= mask;
    }
    Block back;
    ASSERT_TRUE(Decodes(encoder->encoding(), stored, block.size(), &back));
    EXPECT_TRUE(back == block);
  }
}

TEST(ImageCodecs, AnythingAtAllMayStandInTheFile) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 3000; ++i) {
    Block stored = Random(random() % 600, random());
    if (i % 2 == 0 && stored.size() >= 4) std::memcpy(stored.data(), "\x28\xb5\x2f\xfd", 4);
    for (const auto encoding : {WireEncoding::kLz4, WireEncoding::kZstd}) {
      Decodes(encoding, stored, (random() % 64 + 1) * kPage);
    }
    EXPECT_FALSE(Decodes(static_cast<WireEncoding>(3 + i % 253), stored, kPage));
  }
}

// An offset that reaches back before the block, and a run that is longer than it.
TEST(ImageCodecs, Lz4DoesNotReachOutOfTheBlock) {
  const auto bytes = [](std::initializer_list<unsigned> values) {
    Block block;
    for (const unsigned value : values) block.push_back(static_cast<std::byte>(value));
    return block;
  };
  EXPECT_FALSE(Decodes(WireEncoding::kLz4, bytes({0x10, 'a', 0x02, 0x00, 0x00}), kPage));
  EXPECT_FALSE(
      Decodes(WireEncoding::kLz4,
              bytes({0x1f, 'a', 0x01, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00}),
              kPage / 8));
  EXPECT_FALSE(Decodes(WireEncoding::kLz4, bytes({0xf0, 0xff, 0xff}), kPage));
}

size_t ZstdFrame(const Block& block, bool tells_length, bool checksum, Block* frame) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, tells_length ? 1 : 0);
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum ? 1 : 0);
  frame->resize(ZSTD_compressBound(block.size()));
  const size_t length =
      ZSTD_compress2(context, frame->data(), frame->size(), block.data(), block.size());
  ZSTD_freeCCtx(context);
  frame->resize(length);
  return length;
}

TEST(ImageCodecs, ZstdTakesOneFrameThatTellsItsLength) {
  const Block block = Memory(2 * kPage);
  Block frame;
  ZstdFrame(block, true, true, &frame);
  EXPECT_TRUE(Decodes(WireEncoding::kZstd, frame, block.size()));
  frame.back() ^= std::byte{1};
  EXPECT_FALSE(Decodes(WireEncoding::kZstd, frame, block.size())) << "its own checksum counts too";

  Block silent;
  ZstdFrame(block, false, false, &silent);
  EXPECT_FALSE(Decodes(WireEncoding::kZstd, silent, block.size()));

  // Two frames of a page each, which the library would decode to two pages.
  Block half;
  ZstdFrame(Memory(kPage), true, false, &half);
  Block two = half;
  two.insert(two.end(), half.begin(), half.end());
  EXPECT_FALSE(Decodes(WireEncoding::kZstd, two, 2 * kPage));
  EXPECT_FALSE(Decodes(WireEncoding::kZstd, two, kPage));

  // One that is to be passed over, alone, in front and behind.
  const unsigned char skip[] = {0x50, 0x2a, 0x4d, 0x18, 0x04, 0, 0, 0, 1, 2, 3, 4};
  Block skipped(sizeof(skip));
  std::memcpy(skipped.data(), skip, sizeof(skip));
  EXPECT_FALSE(Decodes(WireEncoding::kZstd, skipped, kPage));
  Block behind = half;
  behind.insert(behind.end(), skipped.begin(), skipped.end());
  EXPECT_FALSE(Decodes(WireEncoding::kZstd, behind, kPage));
  skipped.insert(skipped.end(), half.begin(), half.end());
  EXPECT_FALSE(Decodes(WireEncoding::kZstd, skipped, kPage));
}

// A frame of a few bytes that says it needs 2 GiB of window: read without getting any.
TEST(ImageCodecs, ZstdTakesNoMemoryForAWindow) {
  // No single segment, window descriptor for 2 GiB, content size of 4 bytes; one RLE block.
  const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x80, 0xa8, 0x00,
                                 0x10, 0x00, 0x00, 0x03, 0x80, 0x00, 'x'};
  Block stored(sizeof(frame));
  std::memcpy(stored.data(), frame, sizeof(frame));
  Block back;
  EXPECT_TRUE(Decodes(WireEncoding::kZstd, stored, kPage, &back));
  EXPECT_TRUE(back == Block(kPage, std::byte{'x'}));
}

TEST(ImageCodecs, AreNamedAsTheOptionsNameThem) {
  EXPECT_EQ(CodecName(Codec::kNone), "none");
  EXPECT_EQ(CodecName(Codec::kLz4), "lz4");
  EXPECT_EQ(CodecName(Codec::kZstd), "zstd");
}

}  // namespace
}  // namespace stillframe
