#include "save/memory_budget.h"

#include <fcntl.h>

#include <charconv>
#include <new>
#include <string>
#include <utility>

#include "sys/proc_file.h"

namespace stillframe {
namespace {

constexpr Bytes kNoBound{UINT64_MAX};
constexpr const char* kHint =
    "--filter leaves mappings out; --via stop needs no such copies, but stops the target "
    "throughout";

std::string InMebibytes(Bytes size) { return std::to_string(size.count >> 20) + " MiB"; }

}  // namespace

Bytes ParseMemAvailable(std::string_view meminfo) {
  constexpr std::string_view kKey = "MemAvailable:";
  const size_t at = meminfo.find(kKey);
  if (at == std::string_view::npos) return kNoBound;
  std::string_view rest = meminfo.substr(at + kKey.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  uint64_t kib = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), kib);
  if (parsed.ec != std::errc() || kib > UINT64_MAX >> 10) return kNoBound;
  return KiB(kib);
}

Bytes AvailableMemory() {
  const auto text = ReadFileAt(AT_FDCWD, "/proc/meminfo", "reading /proc/meminfo");
  return text ? ParseMemAvailable(*text) : kNoBound;
}

Result<void> CheckStageFits(Bytes stage, Bytes available) {
  if (stage <= available) return {};
  return Fail(ErrorCode::kLimit,
              "a stage of " + InMebibytes(stage) + " is more than the " + InMebibytes(available) +
                  " of memory that are available",
              "a smaller --stage: what finds no room in it goes to a disk (--on-full spill)");
}

Result<void> MemoryBudget::Take(Bytes size) {
  if (size > left_) {
    return Fail(ErrorCode::kLimit,
                "memory that has to be copied inside the pause needs " + InMebibytes(size) +
                    ", and only " + InMebibytes(left_) + " are available",
                kHint);
  }
  if (left_ != kNoBound) left_ -= size;
  return {};
}

Result<MappedMemory> MapMemory(Bytes size) {
  try {
    return MappedMemory(size);
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kLimit,
                "no memory for " + InMebibytes(size) + " that have to be copied inside the pause",
                kHint);
  }
}

}  // namespace stillframe
