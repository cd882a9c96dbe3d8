#include "report/text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace stillframe {
namespace {

template <class... Args>
std::string Print(const char* format, Args... args) {
  std::array<char, 64> buffer;
  const int length = std::snprintf(buffer.data(), buffer.size(), format, args...);
  return std::string(buffer.data(), static_cast<size_t>(std::max(0, length)));
}

// Three digits that mean something, whatever the unit.
std::string ThreeDigits(double value) {
  if (value < 10) return Print("%.2f", value);
  if (value < 100) return Print("%.1f", value);
  return Print("%.0f", value);
}

}  // namespace

std::string FormatBytes(Bytes bytes) {
  if (bytes.count < 1024) return std::to_string(bytes.count) + " B";
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes.count) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return ThreeDigits(value) + " " + kUnits[unit];
}

std::string FormatDuration(Duration duration) {
  const int64_t ns = std::max<int64_t>(0, duration.count());
  if (ns < 1'000'000) return std::to_string(ns / 1000) + " us";
  if (ns < 1'000'000'000) return ThreeDigits(static_cast<double>(ns) / 1e6) + " ms";
  return ThreeDigits(static_cast<double>(ns) / 1e9) + " s";
}

std::string FormatAddress(TargetAddress address) {
  return Print("0x%llx", static_cast<unsigned long long>(address.value));
}

std::string FormatRange(AddressRange range) {
  return FormatAddress(range.begin) + "-" + FormatAddress(range.end);
}

std::string FormatTime(uint64_t unix_ns) {
  const auto seconds = static_cast<time_t>(unix_ns / 1'000'000'000);
  tm parts = {};
  char text[40];
  if (gmtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
    return std::to_string(unix_ns);
  }
  char millis[8];
  std::snprintf(millis, sizeof(millis), ".%03uZ",
                static_cast<unsigned>(unix_ns / 1'000'000 % 1000));
  return std::string(text) + millis;
}

std::string FormatCount(uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string Printable(std::string_view raw) {
  std::string text;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      text += Print("\\x%02x", static_cast<unsigned>(byte));
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace stillframe
