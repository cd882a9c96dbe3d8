// The worked example in docs/image-format.md is what the writer writes.
#include <gtest/gtest.h>

#include <cctype>
#include <cstdio>
#include <string>

#include "image_samples.h"
#include "support/files.h"

namespace stillframe {
namespace {

// Lines as `hexdump -C` prints them.
std::string HexDump(std::span<const std::byte> image, uint64_t offset, uint64_t length) {
  std::string dump;
  for (uint64_t line = offset; line < offset + length; line += 16) {
    char text[24];
    std::snprintf(text, sizeof(text), "%08llx ", static_cast<unsigned long long>(line));
    dump += text;
    std::string letters;
    for (uint64_t at = line; at < line + 16; ++at) {
      if (at == line + 8) dump += ' ';
      if (at >= offset + length) {
        dump += "   ";
        continue;
      }
      const auto byte = static_cast<unsigned char>(image[at]);
      std::snprintf(text, sizeof(text), " %02x", byte);
      dump += text;
      letters += std::isprint(byte) != 0 ? static_cast<char>(byte) : '.';
    }
    dump += "  |" + letters + "|\n";
  }
  return dump;
}

void ExpectInPage(const std::string& name, const std::string& dump) {
  EXPECT_NE(test::ReadFile(STILLFRAME_FORMAT_PAGE).find(dump), std::string::npos)
      << name << " should read:\n"
      << dump;
}

TEST(ImageFormatPage, TheHeaderIsAsShown) {
  const ByteVector image = SmallImage();
  ExpectInPage("the header", HexDump(image, 0, sizeof(WireHeader)));
}

TEST(ImageFormatPage, TheIndexIsAsShown) {
  const ByteVector image = SmallImage();
  const WireSection index = SectionOf(image, SectionType::kIndex);
  ExpectInPage("the index", HexDump(image, index.offset, index.length));
}

TEST(ImageFormatPage, TheSectionTableAndTheTrailerAreAsShown) {
  const ByteVector image = SmallImage();
  const WireTrailer trailer = TrailerOf(image);
  ExpectInPage("the table", HexDump(image, trailer.table_offset, trailer.table_length));
  ExpectInPage("the trailer", HexDump(image, image.size() - sizeof(trailer), sizeof(trailer)));
}

TEST(ImageFormatPage, TheListOfSupersededBlocksIsAsShown) {
  const ByteVector image = RewrittenImage();
  const WireSection list = SectionOf(image, SectionType::kSuperseded);
  ExpectInPage("the list", HexDump(image, list.offset, list.length));
}

TEST(ImageFormatPage, EveryFieldIsTold) {
  const std::string page = test::ReadFile(STILLFRAME_FORMAT_PAGE);
  for (const std::string size : {"56", "64", "48", "32", "96", "24"}) {
    EXPECT_NE(page.find("(" + size + " bytes)"), std::string::npos) << size;
  }
}

}  // namespace
}  // namespace stillframe
