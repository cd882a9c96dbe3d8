#include "image/coverage.h"

#include <algorithm>
#include <charconv>

namespace stillframe {
namespace {

bool IsPageRange(AddressRange range) {
  const uint64_t mask = kPageSize.count - 1;
  return range.begin <= range.end && (range.begin.value & mask) == 0 &&
         (range.end.value & mask) == 0;
}

// Walks the saved parts as if they were one range without gaps.
class SavedCursor {
 public:
  explicit SavedCursor(std::span<const SavedMapping> mappings) : mappings_(mappings) { Settle(); }

  bool done() const { return mappings_.empty(); }
  uint64_t address() const { return address_; }
  // How many bytes follow in this saved part.
  uint64_t room() const { return mappings_.front().saved.end.value - address_; }
  void Advance(uint64_t bytes) {
    address_ += bytes;
    if (room() == 0) {
      mappings_ = mappings_.subspan(1);
      Settle();
    }
  }

 private:
  void Settle() {
    while (!mappings_.empty() && mappings_.front().saved.empty()) mappings_ = mappings_.subspan(1);
    if (!mappings_.empty()) address_ = mappings_.front().saved.begin.value;
  }

  std::span<const SavedMapping> mappings_;
  uint64_t address_ = 0;
};

}  // namespace

std::string Hex(uint64_t value) {
  char digits[17];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value, 16).ptr;
  return "0x" + std::string(digits, end);
}

std::optional<std::string> CheckMappings(std::span<const SavedMapping> mappings) {
  uint64_t previous_end = 0;
  for (const SavedMapping& saved : mappings) {
    const AddressRange range = saved.mapping.range;
    if (!IsPageRange(range) || range.empty() || !IsPageRange(saved.saved)) {
      return "the mapping at " + Hex(range.begin.value) + " is no range of whole pages";
    }
    if (range.begin.value < previous_end) {
      return "the mapping at " + Hex(range.begin.value) + " overlaps the one before it";
    }
    if (!range.Contains(saved.saved)) {
      return "the saved part of the mapping at " + Hex(range.begin.value) + " lies outside it";
    }
    previous_end = range.end.value;
  }
  return std::nullopt;
}

std::optional<std::string> CheckCoverage(std::span<const WireIndexEntry> entries,
                                         std::span<const SavedMapping> mappings) {
  SavedCursor saved(mappings);
  uint64_t previous_end = 0;
  for (const WireIndexEntry& entry : entries) {
    uint64_t at = entry.address;
    if (at < previous_end) return "the page at " + Hex(at) + " is there twice";
    previous_end = entry.end();
    while (at < entry.end()) {
      if (saved.done() || at < saved.address()) {
        return "the page at " + Hex(at) + " belongs to no saved mapping";
      }
      if (saved.address() < at) return "the page at " + Hex(saved.address()) + " is missing";
      const uint64_t step = std::min(saved.room(), entry.end() - at);
      at += step;
      saved.Advance(step);
    }
  }
  if (!saved.done()) return "the page at " + Hex(saved.address()) + " is missing";
  return std::nullopt;
}

}  // namespace stillframe
