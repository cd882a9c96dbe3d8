// Holds an image against the oracle's copy.
#ifndef STILLFRAME_TESTS_SUPPORT_ORACLE_COMPARE_H_
#define STILLFRAME_TESTS_SUPPORT_ORACLE_COMPARE_H_

#include <string>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/image_reader.h"
#include "stillframe/units.h"

namespace stillframe::test {

struct OracleReport {
  Pages equal;      // byte for byte, zero pages included
  Pages lost;       // listed as lost by the image
  Pages unchecked;  // in the image, but the oracle could not read them
  // What differs, with address, mapping and source; at most 16.
  std::vector<std::string> differences;
};

// Every page that either of the two knows must be in the other, with the same bytes. Mappings that
// the image lists as skipped and doesn't hold are passed over, and so are pages it lists as lost.
Result<OracleReport> CompareWithOracle(const std::string& directory, const ImageReader& image);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_ORACLE_COMPARE_H_
