// What `stillframe doctor` says of this machine, held against what the other tests need of it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "support/requirements.h"
#include "support/stillframe_command.h"

namespace stillframe::test {
namespace {

TEST(DoctorTest, WhereASaveWorksAllThatIsRequiredIsPresent) {
  STILLFRAME_REQUIRE(MissingRoot());
  STILLFRAME_REQUIRE(MissingUserfaultfd());
  const CommandOutcome doctor = RunStillframe({"doctor", "--json"});
  EXPECT_EQ(doctor.exit_code, kExitDone) << doctor.err;
  const auto json = nlohmann::json::parse(doctor.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << doctor.out;
  EXPECT_EQ(json["verb"], "doctor");
  EXPECT_EQ(json["ok"], true);
  std::set<std::string> names;
  for (const auto& feature : json["features"]) {
    names.insert(feature["name"].get<std::string>());
    EXPECT_NE(feature["use"], "") << feature;
    if (feature["required"] == true) {
      EXPECT_EQ(feature["state"], "present") << feature;
    }
    // What is not there comes with what to do about it.
    if (feature["state"] != "present") {
      EXPECT_NE(feature["fix"], "") << feature;
    }
  }
  EXPECT_GE(names.size(), 5u);
  EXPECT_EQ(names.size(), json["features"].size()) << "a feature is listed twice";
}

TEST(DoctorTest, TellsAPersonTheSame) {
  const CommandOutcome text = RunStillframe({"doctor"});
  const CommandOutcome json = RunStillframe({"doctor", "--json"});
  EXPECT_EQ(text.exit_code, json.exit_code);
  const auto parsed = nlohmann::json::parse(json.out, nullptr, false);
  for (const auto& feature : parsed["features"]) {
    const auto name = feature["name"].get<std::string>();
    EXPECT_NE(text.out.find(name), std::string::npos) << name;
  }
}

TEST(DoctorTest, WhatItDoesNotKnowIsAUsageError) {
  EXPECT_EQ(RunStillframe({"doctor", "now"}).exit_code, kExitUsage);
  EXPECT_EQ(RunStillframe({"doctor", "--fast"}).exit_code, kExitUsage);
}

}  // namespace
}  // namespace stillframe::test
