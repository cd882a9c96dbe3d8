#include "support/core_compare.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/rseq.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "base/unique_fd.h"
#include "support/files.h"
#include "support/oracle_file.h"

namespace stillframe::test {
namespace {

constexpr uint64_t kChunk = 1 << 20;
constexpr size_t kMostDifferences = 16;

std::string Hex(TargetAddress address) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%" PRIx64, address.value);
  return text;
}

std::string Text(AddressRange range) { return Hex(range.begin) + " to " + Hex(range.end); }

// The first page is in the file, and begins as an ELF file does.
bool HasElfHeaderOnly(const CoreFile& core, const CoreSegment& segment) {
  std::byte magic[SELFMAG];
  return segment.file_size == kPageSize.count && core.Read(segment.range.begin, magic) &&
         std::memcmp(magic, ELFMAG, SELFMAG) == 0;
}

class Comparison {
 public:
  Comparison(const std::string& directory, const CoreFile& core,
             const std::vector<AddressRange>& unsaved)
      : directory_(directory), core_(core), unsaved_(unsaved), ours_(kChunk), theirs_(kChunk) {}

  Result<OracleReport> Run() {
    STILLFRAME_ASSIGN(const std::vector<OracleRange> ranges, ReadOracleRanges(directory_));
    pages_.reset(open(OraclePagesPath(directory_).c_str(), O_RDONLY | O_CLOEXEC));
    if (!pages_) return FailErrno(errno, "open the oracle's pages");
    for (const OracleRange& range : ranges) STILLFRAME_TRY(CompareRange(range));
    return std::move(report_);
  }

 private:
  void Difference(const std::string& text) {
    if (report_.differences.size() < kMostDifferences) report_.differences.push_back(text);
  }

  Result<void> CompareRange(const OracleRange& range) {
    TargetAddress at = range.range.begin;
    while (at < range.range.end) {
      const CoreSegment* segment = core_.SegmentAt(at);
      if (segment == nullptr) {
        const AddressRange missing{at, std::min(core_.NextSegment(at), range.range.end)};
        CheckMissing(nullptr, missing, range.name);
        at = missing.end;
        continue;
      }
      const AddressRange saved = Intersect({at, range.range.end}, segment->contents());
      if (!saved.empty()) {
        STILLFRAME_TRY(CompareSaved(range, saved));
        at = saved.end;
        continue;
      }
      const AddressRange missing = Intersect({at, range.range.end}, segment->range);
      CheckMissing(segment, missing, range.name);
      at = missing.end;
    }
    return {};
  }

  // `segment`: the one that it is in, without contents there; null where it is in none.
  void CheckMissing(const CoreSegment* segment, AddressRange missing, const std::string& name) {
    while (!missing.empty()) {
      const auto it =
          std::find_if(unsaved_.begin(), unsaved_.end(),
                       [&](const AddressRange& range) { return range.Contains(missing.begin); });
      if (it == unsaved_.end()) break;
      report_.lost += AddressRange{missing.begin, std::min(it->end, missing.end)}.pages();
      missing.begin = it->end;
    }
    if (!missing.empty() && (segment == nullptr || !HasElfHeaderOnly(core_, *segment))) {
      Difference(Text(missing) + " (" + name + ") is not in the core and not said to be left out");
    }
  }

  Result<void> CompareSaved(const OracleRange& range, AddressRange saved) {
    if (range.kind == OracleKind::kUnreadable) {
      report_.unchecked += saved.pages();
      return {};
    }
    for (TargetAddress at = saved.begin; at < saved.end; at = at + Bytes{kChunk}) {
      STILLFRAME_TRY(CompareChunk(range, at, std::min(kChunk, (saved.end - at).count)));
    }
    return {};
  }

  Result<void> CompareChunk(const OracleRange& range, TargetAddress at, uint64_t size) {
    const uint64_t offset = range.offset + (at - range.range.begin).count;
    if (range.kind == OracleKind::kZero) {
      std::fill_n(theirs_.begin(), size, std::byte{0});
    } else if (pread(pages_.get(), theirs_.data(), size, static_cast<off_t>(offset)) !=
               static_cast<ssize_t>(size)) {
      return FailErrno(EIO, "read the oracle's pages");
    }
    if (!core_.Read(at, std::span(ours_.data(), size))) {
      return FailErrno(EIO, "read the core at " + Hex(at));
    }
    for (uint64_t page = 0; page < size; page += kPageSize.count) {
      if (std::memcmp(&ours_[page], &theirs_[page], kPageSize.count) == 0) {
        report_.equal += Pages{1};
      } else {
        Difference("page " + Hex(at + Bytes{page}) + " (" + range.name + ") differs");
      }
    }
    return {};
  }

  const std::string& directory_;
  const CoreFile& core_;
  const std::vector<AddressRange>& unsaved_;
  UniqueFd pages_;
  std::vector<std::byte> ours_;    // the core's
  std::vector<std::byte> theirs_;  // the oracle's
  OracleReport report_;
};

struct MapsLine {
  AddressRange range;
  uint32_t flags = 0;
  std::string text;
};

bool ParseMapsLine(const std::string& text, MapsLine* line) {
  char protection[5] = {};
  if (std::sscanf(text.c_str(), "%" SCNx64 "-%" SCNx64 " %4s", &line->range.begin.value,
                  &line->range.end.value, protection) != 3) {
    return false;
  }
  line->flags = (protection[0] == 'r' ? PF_R : 0U) | (protection[1] == 'w' ? PF_W : 0U) |
                (protection[2] == 'x' ? PF_X : 0U);
  line->text = text;
  return true;
}

// An empty one is in the mapping that it begins in.
bool IsWithin(AddressRange range, AddressRange mapping) {
  return mapping.Contains(range) && range.begin < mapping.end;
}

bool IsCovered(AddressRange range, const std::vector<AddressRange>& by) {
  while (!range.empty()) {
    const auto it = std::find_if(
        by.begin(), by.end(), [&](const AddressRange& one) { return one.Contains(range.begin); });
    if (it == by.end()) return false;
    range.begin = it->end;
  }
  return true;
}

// `segments`: those within one mapping.
std::string WrongInMapping(const MapsLine& line, std::span<const CoreSegment> segments,
                           const std::vector<AddressRange>& lost) {
  if (segments.empty()) return line.text + " has no segment";
  TargetAddress reached = line.range.begin;
  size_t with_memory = 0;
  for (const CoreSegment& segment : segments) {
    if (segment.flags != line.flags) return line.text + " has other flags";
    const AddressRange gap{reached, segment.range.begin};
    if (!IsCovered(gap, lost)) return line.text + " lacks " + Text(gap);
    with_memory += segment.range.empty() ? 0 : 1;
    reached = segment.range.end;
  }
  const AddressRange rest{reached, line.range.end};
  if (!IsCovered(rest, lost)) return line.text + " lacks " + Text(rest);
  const bool any_lost = std::any_of(lost.begin(), lost.end(), [&](const AddressRange& range) {
    return range.Overlaps(line.range);
  });
  if (segments.size() != 1 && !any_lost) return line.text + " has more than one segment";
  if (segments.size() == with_memory && any_lost) return line.text + " has no empty segment";
  return "";
}

std::string WrongSize(const CoreFile& core, const CoreSegment& segment,
                      const std::vector<AddressRange>& left_out) {
  if (IsCovered(segment.range, left_out)) {
    return segment.file_size == 0 ? "" : Text(segment.range) + " was left out, and is in the file";
  }
  if (segment.contents() == segment.range || HasElfHeaderOnly(core, segment)) return "";
  return "of " + Text(segment.range) + " the file holds " + std::to_string(segment.file_size) +
         " bytes only";
}

std::string LostButThere(const CoreFile& core, AddressRange lost) {
  for (const CoreSegment& segment : core.segments()) {
    if (segment.range.empty() || !segment.range.Overlaps(lost)) continue;
    return Text(lost) + " was lost, and is in the segment " + Text(segment.range);
  }
  return "";
}

// Of an entry of one of the lists of a summary.
AddressRange RangeOf(const nlohmann::json& entry) {
  return {{std::stoull(entry["begin"].get<std::string>(), nullptr, 0)},
          {std::stoull(entry["end"].get<std::string>(), nullptr, 0)}};
}

// Where each thread of a program with this same glibc is told by the kernel on which CPU it runs.
std::vector<AddressRange> CpuFields(const CoreFile& core) {
  constexpr Bytes kSize{32};
  std::vector<AddressRange> fields;
  for (const CoreThread& thread : core.threads()) {
    const TargetAddress begin{thread.registers.fs_base + static_cast<uint64_t>(__rseq_offset)};
    fields.push_back({begin, begin + kSize});
  }
  return fields;
}

}  // namespace

std::vector<AddressRange> LeftOutIn(const nlohmann::json& summary) {
  std::vector<AddressRange> ranges;
  for (const nlohmann::json& range : summary["skipped"]) {
    const std::string reason = range["reason"];
    if (reason == "filter" || reason == "dontdump" || reason == "io") {
      ranges.push_back(RangeOf(range));
    }
  }
  return ranges;
}

std::vector<AddressRange> LostIn(const nlohmann::json& summary) {
  std::vector<AddressRange> ranges;
  for (const nlohmann::json& range : summary["lost"]) ranges.push_back(RangeOf(range));
  return ranges;
}

Result<OracleReport> CompareCoreWithOracle(const std::string& directory, const CoreFile& core,
                                           const std::vector<AddressRange>& unsaved) {
  return Comparison(directory, core, unsaved).Run();
}

std::vector<std::string> WrongInSegments(const CoreFile& core, const std::string& maps,
                                         const std::vector<AddressRange>& left_out,
                                         const std::vector<AddressRange>& lost) {
  std::vector<std::string> wrong;
  const auto note = [&](const std::string& text) {
    if (!text.empty() && wrong.size() < kMostDifferences) wrong.push_back(text);
  };
  const std::vector<CoreSegment>& segments = core.segments();
  size_t first = 0;
  for (const std::string& text : Lines(maps)) {
    MapsLine line;
    if (!ParseMapsLine(text, &line)) {
      note("not a line of maps: " + text);
      continue;
    }
    size_t last = first;
    while (last < segments.size() && IsWithin(segments[last].range, line.range)) ++last;
    note(WrongInMapping(line, std::span(segments).subspan(first, last - first), lost));
    first = last;
  }
  if (first != segments.size()) note(Text(segments[first].range) + " was no mapping");
  for (const CoreSegment& segment : segments) note(WrongSize(core, segment, left_out));
  for (const AddressRange& range : lost) note(LostButThere(core, range));
  return wrong;
}

std::optional<std::string> FirstDifference(const CoreFile& ours, const CoreFile& theirs,
                                           AddressRange range) {
  const std::vector<AddressRange> passed_over = CpuFields(ours);
  std::vector<std::byte> left(std::min(range.size().count, kChunk));
  std::vector<std::byte> right(left.size());
  for (TargetAddress at = range.begin; at < range.end; at = at + Bytes{left.size()}) {
    const size_t size = std::min<uint64_t>(left.size(), (range.end - at).count);
    if (!ours.Read(at, std::span(left).first(size)) ||
        !theirs.Read(at, std::span(right).first(size))) {
      return "is not in both";
    }
    for (size_t i = 0; i < size; ++i) {
      const TargetAddress byte = at + Bytes{i};
      if (left[i] == right[i] ||
          std::any_of(passed_over.begin(), passed_over.end(),
                      [&](const AddressRange& field) { return field.Contains(byte); })) {
        continue;
      }
      return "at " + Hex(byte);
    }
  }
  return std::nullopt;
}

}  // namespace stillframe::test
