// Numbers as a person reads them.
#ifndef STILLFRAME_REPORT_TEXT_H_
#define STILLFRAME_REPORT_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "stillframe/units.h"

namespace stillframe {

// "512 B", "1.5 MiB": three digits or more, powers of 1024.
std::string FormatBytes(Bytes bytes);
// "87 us", "4.21 ms", "12.3 s"; negative counts as zero.
std::string FormatDuration(Duration duration);
// "0x7f0012340000".
std::string FormatAddress(TargetAddress address);
// "0x1000-0x3000".
std::string FormatRange(AddressRange range);
// Nanoseconds since 1970: "2024-05-01T12:34:56.789Z".
std::string FormatTime(uint64_t unix_ns);
// "1,234,567".
std::string FormatCount(uint64_t count);
// Bytes of another process, safe for a terminal: control characters as \xNN.
std::string Printable(std::string_view raw);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_TEXT_H_
