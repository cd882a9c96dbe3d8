#include "target/syscall_instruction.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace stillframe {
namespace {

constexpr std::string_view kSyscallBytes("\x0f\x05", 2);
constexpr Bytes kMostToSearch = MiB(4);  // of one range; a C library has one in its first pages

size_t ReadAt(int memory, TargetAddress from, std::span<char> to) {
  const ssize_t n = pread(memory, to.data(), to.size(), static_cast<off_t>(from.value));
  return n < 0 ? 0 : static_cast<size_t>(n);
}

bool IsSyscallInstruction(int memory, TargetAddress at) {
  std::array<char, 2> bytes;
  return ReadAt(memory, at, bytes) == bytes.size() &&
         std::string_view(bytes.data(), bytes.size()) == kSyscallBytes;
}

std::optional<TargetAddress> SearchRange(int memory, AddressRange range) {
  std::array<char, 4096> page;
  range.end = std::min(range.end, range.begin + kMostToSearch);
  for (TargetAddress at = range.begin; at < range.end; at = at + kPageSize) {
    const std::string_view bytes(page.data(), ReadAt(memory, at, page));
    const size_t offset = bytes.find(kSyscallBytes);
    if (offset != std::string_view::npos) return at + Bytes{offset};
  }
  return std::nullopt;
}

int Rank(const Mapping& mapping) {
  if (mapping.name == "[vdso]") return 0;
  return mapping.has_file() ? 1 : 2;
}

// include/uapi/linux/rseq.h
struct RseqCriticalSection {
  uint32_t version;
  uint32_t flags;
  uint64_t start;
  uint64_t length;
  uint64_t abort;
};
constexpr Bytes kRseqPointerOffset{8};

}  // namespace

ExecutableRanges FindExecutableRanges(std::span<const Mapping> mappings) {
  ExecutableRanges found;
  for (int rank = 0; rank <= 2; ++rank) {
    for (const Mapping& mapping : mappings) {
      // The vsyscall page only looks like code.
      if (!mapping.executable || mapping.name == "[vsyscall]" || Rank(mapping) != rank) continue;
      if (found.count < found.ranges.size()) found.ranges[found.count++] = mapping.range;
    }
  }
  return found;
}

std::optional<TargetAddress> FindSyscallInstruction(int memory, const user_regs_struct& registers,
                                                    const ExecutableRanges& ranges) {
  if (static_cast<int64_t>(registers.orig_rax) >= 0) {
    const TargetAddress behind{registers.rip};
    const TargetAddress at = behind - Bytes{kSyscallBytes.size()};
    if (IsSyscallInstruction(memory, at)) return at;
  }
  for (size_t i = 0; i < ranges.count; ++i) {
    if (const auto found = SearchRange(memory, ranges.ranges[i])) return found;
  }
  return std::nullopt;
}

bool InRestartableSequence(int memory, TargetAddress rseq, const user_regs_struct& registers) {
  if (rseq.value == 0) return false;
  uint64_t pointer = 0;
  const auto bytes = std::span(reinterpret_cast<char*>(&pointer), sizeof(pointer));
  if (ReadAt(memory, rseq + kRseqPointerOffset, bytes) != sizeof(pointer) || pointer == 0) {
    return false;
  }
  RseqCriticalSection section{};
  const auto section_bytes = std::span(reinterpret_cast<char*>(&section), sizeof(section));
  if (ReadAt(memory, {pointer}, section_bytes) != sizeof(section)) return false;
  return registers.rip - section.start < section.length;
}

}  // namespace stillframe
