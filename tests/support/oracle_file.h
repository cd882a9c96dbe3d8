// What the oracle leaves behind: a file of pages, and a list of ranges that says where each is.
#ifndef STILLFRAME_TESTS_SUPPORT_ORACLE_FILE_H_
#define STILLFRAME_TESTS_SUPPORT_ORACLE_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe::test {

enum class OracleKind : uint8_t {
  kData,        // in the file of pages
  kZero,        // was never there: zeros
  kUnreadable,  // could not be read in any way
};

struct OracleRange {
  AddressRange range;
  OracleKind kind = OracleKind::kZero;
  uint64_t offset = 0;  // kData: where in the file of pages
  std::string name;     // of its mapping
};

// DIR/pages and DIR/ranges.
std::string OraclePagesPath(const std::string& directory);
Result<void> WriteOracleRanges(const std::string& directory,
                               const std::vector<OracleRange>& ranges);
Result<std::vector<OracleRange>> ReadOracleRanges(const std::string& directory);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_ORACLE_FILE_H_
