#include "sys/maps_parser.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <utility>

namespace stillframe {
namespace {

// Takes numbers and marks off the front of a line; after the first surprise everything fails.
class LineScanner {
 public:
  explicit LineScanner(std::string_view line) : rest_(line) {}

  template <class Number>
  bool Take(Number* number, int base) {
    const auto [stop, error] =
        std::from_chars(rest_.data(), rest_.data() + rest_.size(), *number, base);
    if (error != std::errc()) return false;
    rest_.remove_prefix(static_cast<size_t>(stop - rest_.data()));
    return true;
  }
  bool Skip(char mark) {
    if (rest_.empty() || rest_.front() != mark) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void SkipBlanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }
  // One of two characters.
  bool TakeFlag(char set, char clear, bool* flag) {
    if (rest_.empty() || (rest_.front() != set && rest_.front() != clear)) return false;
    *flag = rest_.front() == set;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

std::string UndoEscapes(std::string_view name) {
  constexpr std::string_view kNewline = "\\012";
  std::string plain;
  plain.reserve(name.size());
  for (;;) {
    const size_t at = name.find(kNewline);
    plain += name.substr(0, at);
    if (at == std::string_view::npos) return plain;
    plain += '\n';
    name.remove_prefix(at + kNewline.size());
  }
}

// "7f00-7f10 rw-p 00001000 fd:01 1234      /path"
bool ParseHeader(std::string_view line, Mapping* mapping) {
  LineScanner scan(line);
  uint64_t begin = 0;
  uint64_t end = 0;
  const bool good =
      scan.Take(&begin, 16) && scan.Skip('-') && scan.Take(&end, 16) && scan.Skip(' ') &&
      scan.TakeFlag('r', '-', &mapping->readable) && scan.TakeFlag('w', '-', &mapping->writable) &&
      scan.TakeFlag('x', '-', &mapping->executable) && scan.TakeFlag('s', 'p', &mapping->shared) &&
      scan.Skip(' ') && scan.Take(&mapping->file_offset, 16) && scan.Skip(' ') &&
      scan.Take(&mapping->device_major, 16) && scan.Skip(':') &&
      scan.Take(&mapping->device_minor, 16) && scan.Skip(' ') && scan.Take(&mapping->inode, 10);
  if (!good || begin >= end || begin % kPageSize.count != 0 || end % kPageSize.count != 0) {
    return false;
  }
  mapping->range = {{begin}, {end}};
  // A name is set off by blanks; one that begins with blanks can't be told from them, which the
  // kernel leaves so.
  if (!scan.rest().empty() && !scan.Skip(' ')) return false;
  scan.SkipBlanks();
  mapping->name = UndoEscapes(scan.rest());
  return true;
}

bool TakeKilobytes(LineScanner scan, Bytes* bytes) {
  uint64_t kilobytes = 0;
  scan.SkipBlanks();
  if (!scan.Take(&kilobytes, 10) || scan.rest() != " kB" || kilobytes > UINT64_MAX >> 10) {
    return false;
  }
  *bytes = KiB(kilobytes);
  return true;
}

void ParseFlags(std::string_view flags, Mapping* mapping) {
  while (!flags.empty()) {
    const size_t begin = std::min(flags.find_first_not_of(' '), flags.size());
    flags.remove_prefix(begin);
    const std::string_view flag = flags.substr(0, flags.find(' '));
    mapping->dont_dump |= flag == "dd";
    mapping->io |= flag == "io";
    mapping->hugetlb |= flag == "ht";
    mapping->mergeable |= flag == "mg";
    mapping->tracked |= flag == "um" || flag == "uw" || flag == "ui";
    flags.remove_prefix(flag.size());
  }
}

// "Rss:     12 kB"; keys that aren't needed are passed over, as the kernel adds some with each
// version.
bool ParseDetail(std::string_view line, Mapping* mapping) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view key = line.substr(0, colon);
  const LineScanner value(line.substr(colon + 1));
  mapping->has_details = true;
  if (key == "Rss") return TakeKilobytes(value, &mapping->resident);
  if (key == "Anonymous") return TakeKilobytes(value, &mapping->anonymous);
  if (key == "Swap") return TakeKilobytes(value, &mapping->swapped);
  if (key == "KernelPageSize") {
    return TakeKilobytes(value, &mapping->kernel_page_size) &&
           mapping->kernel_page_size >= kPageSize &&
           mapping->kernel_page_size.count % kPageSize.count == 0;
  }
  if (key == "VmFlags") ParseFlags(value.rest(), mapping);
  return true;
}

bool IsHeader(std::string_view line) {
  const char first = line.front();
  return (first >= '0' && first <= '9') || (first >= 'a' && first <= 'f');
}

bool ParseLine(std::string_view line, std::vector<Mapping>* mappings) {
  if (line.empty()) return false;
  if (!IsHeader(line)) return !mappings->empty() && ParseDetail(line, &mappings->back());
  Mapping mapping;
  if (!ParseHeader(line, &mapping)) return false;
  // A running process changes its mappings between two reads of the file: what comes later is
  // newer.
  while (!mappings->empty() && mapping.range.begin < mappings->back().range.end) {
    AddressRange& before = mappings->back().range;
    if (before.begin < mapping.range.begin) {
      before.end = mapping.range.begin;
    } else {
      mappings->pop_back();
    }
  }
  mappings->push_back(std::move(mapping));
  return true;
}

}  // namespace

Result<std::vector<Mapping>> ParseMaps(std::string_view text) {
  std::vector<Mapping> mappings;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (!ParseLine(line, &mappings)) {
      return Fail(ErrorCode::kInternal, "reading the mappings: a line that was not understood: \"" +
                                            std::string(line.substr(0, 200)) + "\"");
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return mappings;
}

}  // namespace stillframe
