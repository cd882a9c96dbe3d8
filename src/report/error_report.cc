#include "report/error_report.h"

#include "report/text.h"

namespace stillframe {

Json ErrorToJson(std::string_view verb, const Error& error) {
  Json object = {
      {"code", ErrorCodeName(error.code)}, {"message", error.message}, {"hint", error.hint}};
  if (error.system_errno != 0) object["errno"] = error.system_errno;
  if (error.address) object["address"] = FormatAddress(*error.address);
  Json report = JsonReport(verb);
  report["error"] = std::move(object);
  return report;
}

std::string ErrorToText(const Error& error) {
  std::string text = "stillframe: " + Printable(error.message);
  if (error.address) text += " (at " + FormatAddress(*error.address) + ")";
  text += "\n";
  if (!error.hint.empty()) text += "  hint: " + Printable(error.hint) + "\n";
  return text;
}

}  // namespace stillframe
