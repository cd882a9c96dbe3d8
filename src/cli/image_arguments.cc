#include "cli/image_arguments.h"

#include <array>
#include <charconv>
#include <memory>
#include <optional>

#include "cli/option_value.h"
#include "image/block_codec.h"
#include "sys/process_identity.h"

namespace stillframe {
namespace {

constexpr std::array<std::string_view, 2> kCompares = {"hash", "bytes"};
constexpr char kCodecs[] =
    "none, lz4 or lz4:N with an acceleration from 1 to 65537, zstd or zstd:N with a level from -7 "
    "to -1 or 1 to 19";

// All of `text`; nothing where it is no number.
std::optional<int> WholeNumber(std::string_view text) {
  int number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

std::optional<Compression> Named(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  const bool leveled = colon != std::string_view::npos;
  if (name == CodecName(Codec::kNone) && !leveled) return Compression{};
  for (Compression named : {ImageArguments::kLz4, ImageArguments::kZstd}) {
    if (name != CodecName(named.codec)) continue;
    if (!leveled) return named;
    const auto level = WholeNumber(text.substr(colon + 1));
    if (!level) return std::nullopt;
    named.level = *level;
    return named;
  }
  return std::nullopt;
}

// Without a parent they would do nothing, and whoever gives them has most likely forgotten it.
Result<void> CheckParentGiven(const SaveOptionTable& raw) {
  if (raw.parent && raw.parent->empty()) {
    return Fail(ErrorCode::kUsage, "--parent names no image", "--parent IMAGE");
  }
  if (raw.parent || (!raw.compare && !raw.any_process)) return {};
  return Fail(ErrorCode::kUsage,
              std::string(raw.compare ? "--compare" : "--any-process") +
                  " tells how a parent is used, and none is given",
              "--parent IMAGE");
}

}  // namespace

Result<Compression> ParseCompression(std::string_view option, std::string_view text) {
  const auto named = Named(text);
  // What the codec itself has to say to a level is heard before anything is touched.
  if (!named || !BlockEncoder::Create(*named)) {
    return Fail(ErrorCode::kUsage, std::string(option) + " \"" + std::string(text) +
                                       "\" is not accepted: give " + kCodecs);
  }
  return *named;
}

Result<Compare> ParseCompare(std::string_view option, std::string_view text) {
  STILLFRAME_ASSIGN(const std::string_view choice, ParseChoice(option, text, kCompares));
  return choice == "bytes" ? Compare::kBytes : Compare::kHash;
}

Result<ImageArguments> ParseImageArguments(const SaveOptionTable& raw) {
  ImageArguments parsed;
  STILLFRAME_TRY(CheckParentGiven(raw));
  if (raw.compress) {
    STILLFRAME_ASSIGN(parsed.compression, ParseCompression("--compress", *raw.compress));
  }
  if (raw.compress_threads) {
    STILLFRAME_ASSIGN(parsed.threads,
                      ParseCount("--compress-threads", *raw.compress_threads, {1, 256}));
  }
  if (raw.compare) {
    STILLFRAME_ASSIGN(parsed.compare, ParseCompare("--compare", *raw.compare));
  }
  parsed.parent = raw.parent.value_or("");
  parsed.any_process = raw.any_process;
  parsed.hashes = !raw.no_hashes;
  return parsed;
}

Result<ImageOptions> OpenImageOptions(const ImageArguments& arguments) {
  ImageOptions options{.compression = arguments.compression,
                       .hashes = arguments.hashes,
                       .compare = arguments.compare,
                       .any_process = arguments.any_process};
  if (!arguments.parent.empty()) {
    STILLFRAME_ASSIGN(options.parent, ImageReader::Open(arguments.parent));
  }
  // Holding pages against a parent is work as well.
  if (options.compression.codec != Codec::kNone || options.parent) {
    STILLFRAME_ASSIGN(options.workers, StartTaskPool(arguments.threads));
  }
  return options;
}

Result<void> CheckParentIsOf(pid_t pid, const ImageReader& parent, bool any_process) {
  STILLFRAME_ASSIGN(const ProcessIdentity identity, ReadProcessIdentity(pid));
  ProcessState process;
  process.boot_id = identity.boot_id;
  process.pid = identity.pid;
  process.start_time = identity.start_time;
  process.executable = identity.executable;
  return CheckParent(parent, process, any_process);
}

}  // namespace stillframe
