// What the tests ask of an image that a save has written.
#ifndef STILLFRAME_TESTS_E2E_IMAGE_CHECK_H_
#define STILLFRAME_TESTS_E2E_IMAGE_CHECK_H_

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "stillframe/image_reader.h"
#include "support/oracle_compare.h"
#include "support/stillframe_command.h"

namespace stillframe::test {

inline std::unique_ptr<ImageReader> OpenImage(const std::string& path) {
  auto image = ImageReader::Open(path);
  if (image) return *std::move(image);
  ADD_FAILURE() << path << ": " << image.error().message;
  return nullptr;
}

// The image is whole, equals the oracle's copy, and its counts are those of the summary (null: not
// compared).
inline OracleReport ExpectImageEqualsOracle(const std::string& path, const std::string& copy,
                                            const nlohmann::json& summary) {
  const auto image = OpenImage(path);
  if (!image) return {};
  const Result<void> verified = image->Verify();
  EXPECT_TRUE(verified) << verified.error().message;
  const Result<OracleReport> report = CompareWithOracle(copy, *image);
  if (!report) {
    ADD_FAILURE() << report.error().message;
    return {};
  }
  for (const std::string& difference : report->differences) ADD_FAILURE() << difference;
  if (!report->differences.empty()) ADD_FAILURE() << "the save said: " << summary.dump();
  EXPECT_GT(report->equal.count, 0);
  if (summary.is_object()) {
    const SinkCounters counters = image->counters();
    EXPECT_EQ(counters.zero.count, summary["pages"]["zero"]);
    EXPECT_EQ(counters.scanned.count, summary["pages"]["scanned"]);
    EXPECT_EQ(counters.faulted.count, summary["pages"]["faulted"]);
    EXPECT_EQ(counters.paused.count, summary["pages"]["paused"]);
    EXPECT_EQ(counters.lost.count, summary["pages"]["lost"]);
    EXPECT_EQ(report->lost.count, summary["pages"]["lost"]);
  }
  return *report;
}

// "0x1234" or a number.
inline uint64_t AddressIn(const nlohmann::json& value) {
  return value.is_string() ? std::stoull(value.get<std::string>(), nullptr, 0)
                           : value.get<uint64_t>();
}

// All lost ranges lie within `where`.
inline void ExpectLostOnlyIn(const nlohmann::json& summary, AddressRange where) {
  for (const nlohmann::json& lost : summary["lost"]) {
    const AddressRange range{{AddressIn(lost["begin"])}, {AddressIn(lost["end"])}};
    EXPECT_TRUE(where.Contains(range)) << lost.dump();
  }
}

inline void ExpectNothingLostIn(const nlohmann::json& summary, AddressRange where) {
  for (const nlohmann::json& lost : summary["lost"]) {
    const AddressRange range{{AddressIn(lost["begin"])}, {AddressIn(lost["end"])}};
    EXPECT_FALSE(where.Overlaps(range)) << lost.dump();
  }
}

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_E2E_IMAGE_CHECK_H_
