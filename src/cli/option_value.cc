#include "cli/option_value.h"

#include <charconv>
#include <limits>
#include <optional>

namespace stillframe {
namespace {

// The largest pid that Linux gives on 64 bits (PID_MAX_LIMIT).
constexpr uint64_t kMaxPid = 4 * 1024 * 1024;

tl::unexpected<Error> Refuse(std::string_view option, std::string_view text,
                             const std::string& accepted) {
  return Fail(ErrorCode::kUsage, std::string(option) + " \"" + std::string(text) +
                                     "\" is not accepted: give " + accepted);
}

// The digits in front and what follows them; nothing without a digit or beyond 64 bits.
struct Leading {
  uint64_t number;
  std::string_view rest;
};
std::optional<Leading> LeadingNumber(std::string_view text, int base = 10) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc()) return std::nullopt;
  return Leading{number, text.substr(static_cast<size_t>(end - text.data()))};
}

std::optional<int> SizeShift(std::string_view unit) {
  if (unit.empty()) return 0;
  if (unit == "K" || unit == "k") return 10;
  if (unit == "M" || unit == "m") return 20;
  if (unit == "G" || unit == "g") return 30;
  return std::nullopt;
}

std::optional<int64_t> DurationUnit(std::string_view unit) {
  if (unit == "us") return 1'000;
  if (unit == "ms") return 1'000'000;
  if (unit == "s") return 1'000'000'000;
  return std::nullopt;
}

std::string Between(const std::string& least, const std::string& most) {
  return " from " + least + " to " + most;
}

}  // namespace

Result<uint64_t> ParseCount(std::string_view option, std::string_view text,
                            Limits<uint64_t> limits) {
  const auto value = LeadingNumber(text);
  if (!value || !value->rest.empty() || value->number < limits.least ||
      value->number > limits.most) {
    return Refuse(option, text,
                  "a number" + Between(std::to_string(limits.least), std::to_string(limits.most)));
  }
  return value->number;
}

Result<Bytes> ParseSize(std::string_view option, std::string_view text, Limits<Bytes> limits) {
  const std::string accepted = "a size in bytes or with K, M or G (powers of 1024)" +
                               Between(SizeText(limits.least), SizeText(limits.most));
  const auto value = LeadingNumber(text);
  if (!value) return Refuse(option, text, accepted);
  const auto shift = SizeShift(value->rest);
  if (!shift || value->number > std::numeric_limits<uint64_t>::max() >> *shift) {
    return Refuse(option, text, accepted);
  }
  const Bytes size{value->number << *shift};
  if (size < limits.least || size > limits.most) return Refuse(option, text, accepted);
  return size;
}

Result<Duration> ParseDuration(std::string_view option, std::string_view text,
                               Limits<Duration> limits) {
  const std::string accepted = "a duration with its unit us, ms or s" +
                               Between(DurationText(limits.least), DurationText(limits.most));
  const auto value = LeadingNumber(text);
  if (!value) return Refuse(option, text, accepted);
  const auto unit = DurationUnit(value->rest);
  // Compared before the multiplication, which could overflow.
  if (!unit || value->number > static_cast<uint64_t>(limits.most.count() / *unit)) {
    return Refuse(option, text, accepted);
  }
  const Duration duration(static_cast<int64_t>(value->number) * *unit);
  if (duration < limits.least) return Refuse(option, text, accepted);
  return duration;
}

Result<uint64_t> ParseNumber(std::string_view option, std::string_view text) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  const auto value = hex ? LeadingNumber(text.substr(2), 16) : LeadingNumber(text);
  if (!value || !value->rest.empty()) {
    return Refuse(option, text, "a number of 64 bits, decimal or hexadecimal with 0x");
  }
  return value->number;
}

Result<pid_t> ParsePid(std::string_view text) {
  const auto value = LeadingNumber(text);
  if (!value || !value->rest.empty() || value->number == 0 || value->number > kMaxPid) {
    return Refuse("PID", text, "the id of a process, a decimal number above 0");
  }
  return static_cast<pid_t>(value->number);
}

Result<std::string_view> ParseChoice(std::string_view option, std::string_view text,
                                     std::span<const std::string_view> choices) {
  std::string accepted = "one of";
  for (const std::string_view choice : choices) {
    if (choice == text) return choice;
    accepted += " " + std::string(choice);
  }
  return Refuse(option, text, accepted);
}

std::string SizeText(Bytes bytes) {
  if (bytes.count != 0 && bytes.count % (1u << 30) == 0) {
    return std::to_string(bytes.count >> 30) + "G";
  }
  if (bytes.count != 0 && bytes.count % (1u << 20) == 0) {
    return std::to_string(bytes.count >> 20) + "M";
  }
  if (bytes.count != 0 && bytes.count % (1u << 10) == 0) {
    return std::to_string(bytes.count >> 10) + "K";
  }
  return std::to_string(bytes.count);
}

std::string DurationText(Duration duration) {
  const int64_t ns = duration.count();
  if (ns != 0 && ns % 1'000'000'000 == 0) return std::to_string(ns / 1'000'000'000) + "s";
  if (ns != 0 && ns % 1'000'000 == 0) return std::to_string(ns / 1'000'000) + "ms";
  return std::to_string(ns / 1'000) + "us";
}

}  // namespace stillframe
