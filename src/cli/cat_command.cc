#include <algorithm>
#include <limits>

#include "cli/command.h"
#include "cli/option_parser.h"
#include "cli/option_value.h"
#include "cli/stream.h"
#include "report/text.h"
#include "stillframe/image_reader.h"

namespace stillframe {
namespace {

// Read, checked and written at a time.
constexpr Bytes kPiece = MiB(1);

Result<AddressRange> ParseRange(const std::string& address, const std::string& length) {
  STILLFRAME_ASSIGN(const uint64_t begin, ParseNumber("ADDRESS", address));
  STILLFRAME_ASSIGN(const uint64_t size, ParseNumber("LENGTH", length));
  if (size > std::numeric_limits<uint64_t>::max() - begin) {
    return Fail(ErrorCode::kUsage, "LENGTH \"" + length + "\" reaches beyond the last address");
  }
  return AddressRange{{begin}, {begin + size}};
}

// Before the first byte is written, so that nobody takes half of a range for the whole.
Result<void> CheckHeld(const ImageReader& image, const std::string& path, AddressRange range) {
  TargetAddress next = range.begin;
  for (const ImageRun& run : image.Runs(range)) {
    if (run.range.begin != next) break;
    if (run.kind == PageKind::kLost) {
      return Fail(ErrorCode::kInternal,
                  "the page at " + FormatAddress(run.range.begin) + " is not in " + path +
                      ": it was lost while the image was made (" + std::string(run.reason) + ")");
    }
    if (run.kind == PageKind::kFreed) {
      return Fail(ErrorCode::kUsage,
                  "the page at " + FormatAddress(run.range.begin) + " is not in " + path +
                      " any more: dedup has freed it",
                  "a later image of the chain has another in its place");
    }
    next = run.range.end;
  }
  if (next < range.end) {
    return Fail(ErrorCode::kUsage, "the address " + FormatAddress(next) + " is not in " + path,
                "stillframe info lists the mappings that are");
  }
  return {};
}

Result<void> CopyOut(const std::string& path, AddressRange range) {
  STILLFRAME_ASSIGN(const std::unique_ptr<ImageReader> image, ImageReader::Open(path));
  STILLFRAME_TRY(CheckHeld(*image, path, range));
  std::vector<std::byte> buffer(std::min(kPiece, range.size()).count);
  for (TargetAddress at = range.begin; at < range.end;) {
    const auto piece = std::span(buffer).first(std::min(kPiece, range.end - at).count);
    STILLFRAME_TRY(image->Read(at, piece));
    STILLFRAME_TRY(WriteAll(1, piece));
    at = at + Bytes{piece.size()};
  }
  return {};
}

}  // namespace

int RunCat(const std::vector<std::string>& arguments) {
  OptionParser parser(
      "cat", "IMAGE ADDRESS LENGTH",
      "Writes raw bytes of the saved memory to stdout. ADDRESS and LENGTH are decimal, or "
      "hexadecimal with 0x.");
  const auto positionals = parser.Parse(arguments, 3);
  if (!positionals) return EndWithError("cat", positionals.error(), false);
  if (parser.help_wanted()) return EndWithReport("cat", parser.Help());

  const auto range = ParseRange((*positionals)[1], (*positionals)[2]);
  if (!range) return EndWithError("cat", range.error(), false);
  const auto copied = CopyOut(positionals->front(), *range);
  return copied ? 0 : EndWithError("cat", copied.error(), false);
}

}  // namespace stillframe
