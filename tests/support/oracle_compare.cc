#include "support/oracle_compare.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/unique_fd.h"
#include "support/oracle_file.h"

namespace stillframe::test {
namespace {

constexpr uint64_t kChunk = 1 << 20;
constexpr size_t kMostDifferences = 16;

std::string Hex(TargetAddress address) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(address.value));
  return text;
}

std::string Describe(const ImageRun& run) {
  switch (run.kind) {
    case PageKind::kZero:
      return "zero";
    case PageKind::kLost:
      return "lost";
    case PageKind::kFreed:
      return "freed";
    case PageKind::kData:
      break;
  }
  switch (run.source) {
    case PageSource::kScanned:
      return "scanned";
    case PageSource::kFaulted:
      return "faulted";
    case PageSource::kPaused:
      return "paused";
  }
  return "?";
}

class Comparison {
 public:
  Comparison(const std::string& directory, const ImageReader& image)
      : directory_(directory), image_(image), ours_(kChunk), theirs_(kChunk) {}

  Result<OracleReport> Run() {
    STILLFRAME_ASSIGN(const std::vector<OracleRange> ranges, ReadOracleRanges(directory_));
    pages_.reset(open(OraclePagesPath(directory_).c_str(), O_RDONLY | O_CLOEXEC));
    if (!pages_) return FailErrno(errno, "open the oracle's pages");
    for (const OracleRange& range : ranges) STILLFRAME_TRY(CompareRange(range));
    for (const SavedMapping& mapping : image_.metadata().mappings) {
      LookForSurplus(mapping, ranges);
    }
    return std::move(report_);
  }

 private:
  void Difference(const std::string& text) {
    if (report_.differences.size() < kMostDifferences) report_.differences.push_back(text);
  }

  Result<void> CompareRange(const OracleRange& range) {
    TargetAddress reached = range.range.begin;
    for (const ImageRun& run : image_.Runs(range.range)) {
      CheckSkipped({reached, run.range.begin}, range);
      reached = run.range.end;
      STILLFRAME_TRY(CompareRun(range, run));
    }
    CheckSkipped({reached, range.range.end}, range);
    return {};
  }

  // The image doesn't hold `gap`: it must say why, of each part of it.
  void CheckSkipped(AddressRange gap, const OracleRange& range) {
    while (!gap.empty()) {
      const TargetAddress explained = ExplainedUpTo(gap.begin);
      if (explained == gap.begin) {
        Difference(Hex(gap.begin) + " to " + Hex(gap.end) + " (" + range.name +
                   ") is not in the image and not listed as skipped");
        return;
      }
      gap.begin = explained;
    }
  }

  // The end of the range that holds `address` and that the image left out on purpose; `address`
  // itself where there is none.
  TargetAddress ExplainedUpTo(TargetAddress address) const {
    for (const RangeReason& skipped : image_.metadata().skipped) {
      if (skipped.range.Contains(address)) return skipped.range.end;
    }
    // Of a file whose first page alone was saved, the rest is named nowhere.
    for (const SavedMapping& mapping : image_.metadata().mappings) {
      const AddressRange all = mapping.mapping.range;
      if (mapping.saved.empty() || mapping.saved == all) continue;
      if (all.Contains(address)) return all.end;
    }
    return address;
  }

  Result<void> CompareRun(const OracleRange& range, const ImageRun& run) {
    if (run.kind == PageKind::kLost) {
      report_.lost += run.range.pages();
      return {};
    }
    if (range.kind == OracleKind::kUnreadable) {
      report_.unchecked += run.range.pages();
      return {};
    }
    for (TargetAddress at = run.range.begin; at < run.range.end; at = at + Bytes{kChunk}) {
      const uint64_t size = std::min(kChunk, (run.range.end - at).count);
      STILLFRAME_TRY(CompareChunk(range, run, at, size));
    }
    return {};
  }

  Result<void> CompareChunk(const OracleRange& range, const ImageRun& run, TargetAddress at,
                            uint64_t size) {
    if (range.kind == OracleKind::kZero) {
      std::fill_n(ours_.begin(), size, std::byte{0});
    } else {
      const uint64_t offset = range.offset + (at - range.range.begin).count;
      if (pread(pages_.get(), ours_.data(), size, static_cast<off_t>(offset)) !=
          static_cast<ssize_t>(size)) {
        return FailErrno(EIO, "read the oracle's pages");
      }
    }
    STILLFRAME_TRY(image_.Read(at, std::span(theirs_.data(), size)));
    for (uint64_t page = 0; page < size; page += kPageSize.count) {
      if (std::memcmp(&ours_[page], &theirs_[page], kPageSize.count) == 0) {
        report_.equal += Pages{1};
      } else {
        DescribeDifference(range, run, at + Bytes{page}, page);
      }
    }
    return {};
  }

  void DescribeDifference(const OracleRange& range, const ImageRun& run, TargetAddress page,
                          uint64_t offset) {
    const std::span ours(&ours_[offset], kPageSize.count);
    const std::span theirs(&theirs_[offset], kPageSize.count);
    const auto [wrong, unused] = std::mismatch(ours.begin(), ours.end(), theirs.begin());
    const auto index = static_cast<uint64_t>(wrong - ours.begin());
    char bytes[80];
    std::snprintf(bytes, sizeof(bytes), ": byte %llu is %02x, was %02x",
                  static_cast<unsigned long long>(index), static_cast<unsigned>(theirs[index]),
                  static_cast<unsigned>(ours[index]));
    Difference("page " + Hex(page) + " (" + range.name + ", " + Describe(run) + ")" + bytes);
  }

  // Memory that the image holds, but that was not there.
  void LookForSurplus(const SavedMapping& mapping, const std::vector<OracleRange>& ranges) {
    AddressRange left = mapping.saved;
    auto it = std::partition_point(ranges.begin(), ranges.end(), [&](const OracleRange& range) {
      return range.range.end <= left.begin;
    });
    for (; it != ranges.end() && !left.empty() && it->range.begin <= left.begin; ++it) {
      left.begin = std::max(left.begin, it->range.end);
    }
    if (!left.empty()) {
      Difference(Hex(left.begin) + " (" + mapping.mapping.name +
                 ") is in the image, but was not in the target");
    }
  }

  const std::string& directory_;
  const ImageReader& image_;
  UniqueFd pages_;
  std::vector<std::byte> ours_;    // the oracle's
  std::vector<std::byte> theirs_;  // the image's
  OracleReport report_;
};

}  // namespace

Result<OracleReport> CompareWithOracle(const std::string& directory, const ImageReader& image) {
  return Comparison(directory, image).Run();
}

}  // namespace stillframe::test
