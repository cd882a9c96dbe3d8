// Numbers in the text files of the kernel.
#ifndef STILLFRAME_SYS_NUMBER_TEXT_H_
#define STILLFRAME_SYS_NUMBER_TEXT_H_

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace stillframe {

// Takes blanks and one number off the front; "0x" makes it hexadecimal. False, with the number as
// it was, when there is none or it is too large. No allocation; async-signal-safe.
inline bool TakeNumber(std::string_view* text, uint64_t* number) {
  text->remove_prefix(std::min(text->find_first_not_of(' '), text->size()));
  constexpr std::string_view kHexadecimal = "0x";
  const bool hexadecimal = text->starts_with(kHexadecimal);
  if (hexadecimal) text->remove_prefix(kHexadecimal.size());
  const char* const end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, *number, hexadecimal ? 16 : 10);
  text->remove_prefix(static_cast<size_t>(parsed.ptr - text->data()));
  return parsed.ec == std::errc();
}

// Takes one character off the front; false when there is another one.
inline bool TakeCharacter(std::string_view* text, char character) {
  if (!text->starts_with(character)) return false;
  text->remove_prefix(1);
  return true;
}

}  // namespace stillframe

#endif  // STILLFRAME_SYS_NUMBER_TEXT_H_
