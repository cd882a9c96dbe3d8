#include "save/save_plan.h"

#include <algorithm>
#include <tuple>

namespace stillframe {
namespace {

// Bits of the coredump filter.
constexpr uint64_t kAnonymousPrivate = 1u << 0;
constexpr uint64_t kAnonymousShared = 1u << 1;
constexpr uint64_t kFilePrivate = 1u << 2;
constexpr uint64_t kFileShared = 1u << 3;
constexpr uint64_t kElfHeaders = 1u << 4;
constexpr uint64_t kHugetlbPrivate = 1u << 5;
constexpr uint64_t kHugetlbShared = 1u << 6;

bool IsVdso(const Mapping& m) { return m.name == "[vdso]"; }

// Memory of the kernel's own that can't be read as memory.
bool IsSpecial(const Mapping& m) {
  return m.io || m.name == "[vsyscall]" || m.name.starts_with("[vvar");
}

// The kernel asks whether the file has no name any more (i_nlink == 0); maps says so.
bool IsUnlinked(const Mapping& m) { return m.name.ends_with(" (deleted)"); }

bool WasWritten(const Mapping& m) { return m.anonymous.count > 0 || m.swapped.count > 0; }

enum class Extent { kNone, kFirstPage, kWhole };

Extent ExtentByFilter(const Mapping& m, const PlanRules& rules) {
  auto has = [&](uint64_t bit) { return (rules.filter & bit) != 0; };
  auto whole_if = [](bool condition) { return condition ? Extent::kWhole : Extent::kNone; };
  if (IsVdso(m)) return Extent::kWhole;
  if (m.hugetlb) return whole_if(has(m.shared ? kHugetlbShared : kHugetlbPrivate));
  if (m.shared) return whole_if(has(IsUnlinked(m) ? kAnonymousShared : kFileShared));
  if (!m.has_file()) return whole_if(has(kAnonymousPrivate));
  if (WasWritten(m) && has(kAnonymousPrivate)) return Extent::kWhole;
  if (has(kFilePrivate)) return Extent::kWhole;
  const bool elf = has(kElfHeaders) && m.file_offset == 0 && m.readable && rules.is_elf &&
                   rules.is_elf(m.range.begin);
  return elf ? Extent::kFirstPage : Extent::kNone;
}

// Files of which the target itself maps a part twice: a write through one mapping is no fault in
// the other.
std::set<FileId> MappedTwice(std::span<const Mapping> mappings) {
  struct Part {
    FileId file;
    uint64_t begin;
    uint64_t end;
  };
  std::vector<Part> parts;
  for (const Mapping& m : mappings) {
    if (!m.shared || !m.has_file()) continue;
    parts.push_back({FileOf(m), m.file_offset, m.file_offset + m.range.size().count});
  }
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return std::tie(a.file, a.begin) < std::tie(b.file, b.begin);
  });
  std::set<FileId> twice;
  uint64_t furthest = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool same = i > 0 && parts[i].file == parts[i - 1].file;
    if (same && parts[i].begin < furthest) twice.insert(parts[i].file);
    furthest = std::max(same ? furthest : 0, parts[i].end);
  }
  return twice;
}

}  // namespace

bool IsPrivateAnonymous(const Mapping& mapping) {
  return !mapping.shared && !mapping.has_file() &&
         (mapping.name.empty() || mapping.name.starts_with("[anon") || mapping.name == "[heap]" ||
          mapping.name.starts_with("[stack"));
}

bool IsAnonymousHugetlb(const Mapping& mapping) {
  return mapping.hugetlb && !mapping.shared &&
         (!mapping.has_file() || mapping.name == "/anon_hugepage (deleted)");
}

size_t EndOfStretch(std::span<const PlannedMapping> plan, size_t first) {
  size_t end = first + 1;
  for (; end < plan.size(); ++end) {
    const PlannedMapping& a = plan[end - 1];
    const PlannedMapping& b = plan[end];
    if (a.saved.end != b.saved.begin || a.treatment != b.treatment ||
        IsPrivateAnonymous(a.mapping) != IsPrivateAnonymous(b.mapping)) {
      break;
    }
  }
  return end;
}

std::set<FileId> SharedFiles(std::span<const Mapping> mappings) {
  std::set<FileId> files;
  for (const Mapping& m : mappings) {
    if (m.shared && m.has_file()) files.insert(FileOf(m));
  }
  return files;
}

std::vector<PlannedMapping> PlanMappings(std::span<const Mapping> mappings,
                                         const PlanRules& rules) {
  const std::set<FileId> twice = MappedTwice(mappings);
  std::vector<PlannedMapping> plan;
  plan.reserve(mappings.size());
  for (const Mapping& m : mappings) {
    PlannedMapping planned{.mapping = m,
                           .treatment = Treatment::kSkip,
                           .saved = {m.range.begin, m.range.begin},
                           .reason = {}};
    const Extent extent = ExtentByFilter(m, rules);
    if (IsSpecial(m)) {
      planned.reason = "io";
    } else if (m.dont_dump && !rules.include_dontdump && !IsVdso(m)) {
      planned.reason = "dontdump";
    } else if (extent == Extent::kNone) {
      planned.reason = "filter";
    } else if (extent == Extent::kFirstPage) {
      planned.treatment = Treatment::kCopy;
      planned.saved.end = m.range.begin + kPageSize;
    } else {
      planned.saved = m.range;
      const FileId file = FileOf(m);
      const bool shared_elsewhere = m.shared && m.has_file() &&
                                    (rules.mapped_by_others.contains(file) || twice.contains(file));
      const bool can_arm = IsVdso(m)   ? false
                           : m.hugetlb ? rules.can_arm_hugetlb && IsAnonymousHugetlb(m) &&
                                             m.kernel_page_size <= rules.largest_page
                           : m.shared ? rules.arm_shared
                                      : !m.has_file() || rules.arm_private_files;
      planned.treatment = can_arm && !shared_elsewhere ? Treatment::kArm : Treatment::kCopy;
      if (shared_elsewhere) planned.reason = "shared";
    }
    plan.push_back(std::move(planned));
  }
  return plan;
}

}  // namespace stillframe
