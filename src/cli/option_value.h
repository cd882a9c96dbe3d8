// The values of options: text in, a checked value out. Every error is kUsage and names the option,
// the value and what is accepted.
#ifndef STILLFRAME_CLI_OPTION_VALUE_H_
#define STILLFRAME_CLI_OPTION_VALUE_H_

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// Both ends are accepted.
template <class T>
struct Limits {
  T least;
  T most;
};

// "200": decimal.
Result<uint64_t> ParseCount(std::string_view option, std::string_view text,
                            Limits<uint64_t> limits);
// "4096", "64K", "200M", "1G": powers of 1024.
Result<Bytes> ParseSize(std::string_view option, std::string_view text, Limits<Bytes> limits);
// "500us", "5ms", "1s". A bare number is refused: nobody remembers which unit it would be.
Result<Duration> ParseDuration(std::string_view option, std::string_view text,
                               Limits<Duration> limits);
// "0x33" or "51": an address, a length, a mask.
Result<uint64_t> ParseNumber(std::string_view option, std::string_view text);
// A process id; whether there is such a process is for others to find.
Result<pid_t> ParsePid(std::string_view text);
// One of `choices`, as it stands there.
Result<std::string_view> ParseChoice(std::string_view option, std::string_view text,
                                     std::span<const std::string_view> choices);

// As ParseSize and ParseDuration read them: "64M", "5ms".
std::string SizeText(Bytes bytes);
std::string DurationText(Duration duration);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_OPTION_VALUE_H_
