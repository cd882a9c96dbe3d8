// What all of our JSON has in common: schema 1, ranges with addresses as strings, one line of valid
// UTF-8.
#ifndef STILLFRAME_REPORT_JSON_H_
#define STILLFRAME_REPORT_JSON_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "stillframe/page_sink.h"
#include "stillframe/units.h"

namespace stillframe {

// In the order they were added, which is how the README lists the fields.
using Json = nlohmann::ordered_json;

// {"schema": 1, "verb": VERB}. Fields are only ever added to a schema.
Json JsonReport(std::string_view verb);
// {"begin": "0x..", "end": "0x.."}: hex strings, since a JSON number holds only 53 bits everywhere.
Json RangeToJson(AddressRange range);
// A list of {"begin", "end", "reason"}.
Json RangesToJson(const std::vector<RangeReason>& ranges);
// One line without its newline. Bytes that are no UTF-8 (names of files are any bytes) become
// U+FFFD.
std::string DumpJson(const Json& json);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_JSON_H_
