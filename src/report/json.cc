#include "report/json.h"

#include "report/text.h"

namespace stillframe {

Json JsonReport(std::string_view verb) { return {{"schema", 1}, {"verb", verb}}; }

Json RangeToJson(AddressRange range) {
  return {{"begin", FormatAddress(range.begin)}, {"end", FormatAddress(range.end)}};
}

Json RangesToJson(const std::vector<RangeReason>& ranges) {
  Json list = Json::array();
  for (const RangeReason& range : ranges) {
    Json entry = RangeToJson(range.range);
    entry["reason"] = range.reason;
    list.push_back(std::move(entry));
  }
  return list;
}

std::string DumpJson(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace stillframe
