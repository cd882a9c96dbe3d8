// Whatever happened to an image is found.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "image_samples.h"
#include "stillframe/image_reader.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

// The error that opening or verifying ends with; code kInternal without a message when there is
// none.
Error FirstError(const std::string& path) {
  const auto reader = ImageReader::Open(path);
  if (!reader) return reader.error();
  const auto verified = (*reader)->Verify();
  return verified ? Error{} : verified.error();
}

Error FirstError(const ByteVector& image) { return FirstError(MemoryFile(image).path()); }

void ExpectDamaged(const Error& error, const std::string& what) {
  EXPECT_EQ(error.code, ErrorCode::kDamaged) << error.message;
  EXPECT_NE(error.message.find(what), std::string::npos) << error.message;
}

TEST(ImageDamage, TheSamplesAreWhole) {
  EXPECT_EQ(FirstError(SmallImage()).message, "");
  EXPECT_EQ(FirstError(LargerImage()).message, "");
}

TEST(ImageDamage, EverySingleFlippedBitIsFound) {
  const ByteVector image = SmallImage();
  MemoryFile file(image);
  for (size_t bit = 0; bit < image.size() * 8; ++bit) {
    const std::byte good = image[bit / 8];
    const std::byte bad = good ^ static_cast<std::byte>(1u << (bit % 8));
    file.Write(bit / 8, {&bad, 1});
    ASSERT_EQ(FirstError(file.path()).code, ErrorCode::kDamaged) << "byte " << bit / 8;
    file.Write(bit / 8, {&good, 1});
  }
  EXPECT_EQ(FirstError(file.path()).message, "");
}

TEST(ImageDamage, EverySingleFlippedBitOfARewrittenImageIsFound) {
  const ByteVector image = RewrittenImage();
  MemoryFile file(image);
  ASSERT_EQ(FirstError(file.path()).message, "");
  for (size_t bit = 0; bit < image.size() * 8; bit += bit < 10 * 4096 * 8 ? 61 : 1) {
    const std::byte good = image[bit / 8];
    const std::byte bad = good ^ static_cast<std::byte>(1u << (bit % 8));
    file.Write(bit / 8, {&bad, 1});
    ASSERT_EQ(FirstError(file.path()).code, ErrorCode::kDamaged) << "byte " << bit / 8;
    file.Write(bit / 8, {&good, 1});
  }
}

TEST(ImageDamage, EveryTruncationIsFound) {
  const ByteVector image = SmallImage();
  MemoryFile file(image);
  for (size_t size = image.size(); size-- > 0;) {
    file.Resize(size);
    const auto reader = ImageReader::Open(file.path());
    ASSERT_FALSE(reader) << size;
    ASSERT_EQ(reader.error().code, ErrorCode::kDamaged) << size;
  }
}

TEST(ImageDamage, ADamagedBlockIsFoundByWhoReadsIt) {
  ByteVector image = LargerImage();
  image[4096 + 5 * 4096] ^= std::byte{1};
  const MemoryFile file(image);
  const auto reader = ImageReader::Open(file.path());
  ASSERT_TRUE(reader);
  std::byte byte;
  // The second block in the file: pages 0 to 63. Page 64 is in another one.
  const auto bad = (*reader)->Read({0x7f0000000000}, {&byte, 1});
  ASSERT_FALSE(bad);
  ExpectDamaged(bad.error(), "64 pages at 0x7f0000000000");
  EXPECT_TRUE((*reader)->Read({0x7f0000000000 + 64 * 4096}, {&byte, 1}));
}

TEST(ImageDamage, AddedBytesAreFound) {
  for (const std::byte extra : {std::byte{0}, std::byte{'\n'}}) {
    ByteVector image = SmallImage();
    image.push_back(extra);
    ExpectDamaged(FirstError(image), "completeness mark");
  }
}

TEST(ImageDamage, TwoImagesOneAfterTheOtherAreNoImage) {
  ByteVector image = SmallImage();
  const ByteVector second = SmallImage();
  image.insert(image.end(), second.begin(), second.end());
  ExpectDamaged(FirstError(image), "in place of");
}

TEST(ImageDamage, HalvesOfTwoImagesAreNoImage) {
  ByteVector image = SmallImage();
  auto header = Load<WireHeader>(image, 0);
  header.id[3] ^= 1;
  StoreAt(image, 0, header);
  RepairChecksums(image, true);
  ExpectDamaged(FirstError(image), "two different images");
}

TEST(ImageDamage, AnEmptyFileIsCalledEmpty) { ExpectDamaged(FirstError(ByteVector{}), "empty"); }

TEST(ImageDamage, ATextFileIsCalledNoImage) {
  for (const std::string& text : {std::string("x"), std::string("hello, world\n")}) {
    const auto bytes = std::as_bytes(std::span(text));
    ExpectDamaged(FirstError(ByteVector(bytes.begin(), bytes.end())), "not a Stillframe image");
  }
}

TEST(ImageDamage, AVersionToComeIsNamed) {
  ByteVector image = SmallImage();
  auto header = Load<WireHeader>(image, 0);
  header.version = 3;
  StoreAt(image, 0, header);
  RepairChecksums(image, true);
  ExpectDamaged(FirstError(image), "format version 3");
}

TEST(ImageDamage, BytesBehindTheHeaderMustBeZero) {
  ByteVector image = SmallImage();
  image[4095] = std::byte{1};
  ExpectDamaged(FirstError(image), "not zero");
}

TEST(ImageDamage, AFileThatIsNotThereIsNotDamaged) {
  const auto reader = ImageReader::Open("/nonexistent/image");
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, ErrorCode::kUsage);
  EXPECT_NE(reader.error().message.find("/nonexistent/image"), std::string::npos);
}

TEST(ImageDamage, WhatIsNoRegularFileIsRefusedWithoutWaiting) {
  const test::TempDir directory;
  ASSERT_EQ(mkfifo((directory / "fifo").c_str(), 0600), 0);
  for (const std::string& path : {directory / "fifo", directory.path(), std::string("/dev/zero")}) {
    const auto reader = ImageReader::Open(path);
    ASSERT_FALSE(reader) << path;
    EXPECT_EQ(reader.error().code, ErrorCode::kUsage);
    EXPECT_NE(reader.error().message.find("not a regular file"), std::string::npos);
  }
}

TEST(ImageDamage, AFileThatShrinksWhileItIsOpenIsFound) {
  MemoryFile file(LargerImage());
  const auto reader = ImageReader::Open(file.path());
  ASSERT_TRUE(reader);
  file.Resize(5000);
  ByteVector page(4096);
  EXPECT_EQ((*reader)->Read({0x7f0000000000}, page).error().code, ErrorCode::kDamaged);
  EXPECT_EQ((*reader)->Verify().error().code, ErrorCode::kDamaged);
}

}  // namespace
}  // namespace stillframe
