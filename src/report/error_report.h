// An error as the command tells it.
#ifndef STILLFRAME_REPORT_ERROR_REPORT_H_
#define STILLFRAME_REPORT_ERROR_REPORT_H_

#include <string>
#include <string_view>

#include "report/json.h"
#include "stillframe/error.h"

namespace stillframe {

// {"schema", "verb", "error": {"code", "message", "hint"}}, and in "error" "errno" and "address"
// where there is one.
Json ErrorToJson(std::string_view verb, const Error& error);
// "stillframe: MESSAGE" and, where there is one, "  hint: HINT"; each line ends with a newline.
std::string ErrorToText(const Error& error);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_ERROR_REPORT_H_
