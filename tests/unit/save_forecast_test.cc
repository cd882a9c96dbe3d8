#include "stillframe/save_forecast.h"

#include <gtest/gtest.h>

#include "report/forecast_report.h"

namespace stillframe {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// 4 GiB of ordinary memory on a machine with plenty, written now and then.
TargetSurvey Survey() {
  TargetSurvey survey;
  survey.pid = 7;
  survey.memory = GiB(5);
  survey.present = GiB(4);
  survey.copied = MiB(1);
  survey.available = GiB(64);
  survey.stop = microseconds(200);
  survey.look = microseconds(300);
  survey.arm_page = nanoseconds(20);
  survey.read_per_second = uint64_t{4} << 30;
  survey.pages_written = 1000;
  survey.sampled = Pages{65536};
  return survey;
}

const WayForecast& Wp(const SaveForecast& forecast) { return forecast.ways[0]; }
const WayForecast& Fork(const SaveForecast& forecast) { return forecast.ways[1]; }
const WayForecast& Stop(const SaveForecast& forecast) { return forecast.ways[2]; }
const WayForecast& Precopy(const SaveForecast& forecast) { return forecast.ways[3]; }
const WayForecast& Late(const SaveForecast& forecast) { return forecast.ways[4]; }

TEST(SaveForecastTest, AForkPausesForAllMemoryAndWriteProtectionDoesNot) {
  const SaveForecast forecast = ForecastFrom(Survey(), {});
  EXPECT_EQ(forecast.advice, Via::kWriteProtect);
  // 4 GiB are 1,048,576 pages: 21 ms, and half a millisecond for the rest.
  EXPECT_GT(Fork(forecast).pause, Duration(milliseconds(21)));
  EXPECT_LT(Fork(forecast).pause, Duration(milliseconds(23)));
  EXPECT_LT(Wp(forecast).pause, Duration(milliseconds(1)));
  EXPECT_GT(Wp(forecast).duration, Duration(milliseconds(21)));
  EXPECT_GT(Stop(forecast).pause, Duration(seconds(1)));
  EXPECT_LT(Wp(forecast).extra_memory, MiB(70));
}

TEST(SaveForecastTest, PrivateMappingsOfFilesAreCopiedBeforeThePauseOfTwoWays) {
  TargetSurvey survey = Survey();
  survey.copied = GiB(2);
  const SaveForecast without = ForecastFrom(survey, {});
  survey.of_files = GiB(1);
  const SaveForecast with = ForecastFrom(survey, {});
  // Reading a GiB takes a quarter of a second, looking at its pages a few milliseconds.
  EXPECT_LT(Wp(with).pause, Wp(without).pause - milliseconds(200));
  EXPECT_LT(Precopy(with).pause, Precopy(without).pause - milliseconds(200));
  EXPECT_GT(Wp(with).pause, Duration(milliseconds(250)));
  EXPECT_LT(Wp(with).extra_memory, Wp(without).extra_memory);
  EXPECT_EQ(Fork(with).pause, Fork(without).pause);
}

TEST(SaveForecastTest, AForkPaysForWhatIsWrittenMeanwhile) {
  TargetSurvey survey = Survey();
  const Bytes quiet = Fork(ForecastFrom(survey, {})).extra_memory;
  survey.pages_written = 100'000;
  const Bytes busy = Fork(ForecastFrom(survey, {})).extra_memory;
  EXPECT_GT(busy, quiet + MiB(400));
  // Unknown counts as the worst, and no page is copied twice.
  survey.pages_written.reset();
  const Bytes unknown = Fork(ForecastFrom(survey, {})).extra_memory;
  EXPECT_GE(unknown, survey.present);
  EXPECT_LT(unknown, survey.present + MiB(64));
}

TEST(SaveForecastTest, APrecopyPausesTheLongerTheMoreIsWritten) {
  TargetSurvey survey = Survey();
  const Duration quiet = Precopy(ForecastFrom(survey, {})).pause;
  survey.pages_written = 100'000;
  const WayForecast busy = Precopy(ForecastFrom(survey, {}));
  EXPECT_GT(busy.pause, quiet);
  survey.pages_written = 10'000'000;  // all of it, again and again
  const WayForecast hopeless = Precopy(ForecastFrom(survey, {}));
  EXPECT_GT(hopeless.pause, Duration(seconds(1)));
  EXPECT_GT(hopeless.extra_memory, survey.present);
  EXPECT_EQ(hopeless.obstacle, "");
  // With a slow output rounds take longer, so that more is written in each.
  survey.pages_written = 1000;
  SaveOptions slow;
  slow.max_bandwidth = MiB(2);
  EXPECT_GT(Precopy(ForecastFrom(survey, slow)).pause, quiet);
}

TEST(SaveForecastTest, ALateInstantCostsTimeAndNoPause) {
  TargetSurvey survey = Survey();
  const SaveForecast quiet = ForecastFrom(survey, {});
  EXPECT_EQ(Late(quiet).pause, Wp(quiet).pause);
  EXPECT_EQ(Late(quiet).via, Via::kWriteProtect);
  EXPECT_EQ(Late(quiet).instant, Instant::kLate);
  EXPECT_GT(Late(quiet).extra_memory, Wp(quiet).extra_memory);
  survey.pages_written = 10'000'000;  // all of it, again and again
  EXPECT_GT(Late(ForecastFrom(survey, {})).duration, 2 * Late(quiet).duration);
  survey.wp_obstacle = "somebody else's";
  EXPECT_EQ(Late(ForecastFrom(survey, {})).obstacle, "somebody else's");
}

TEST(SaveForecastTest, AnOldKernelHasNoPrecopy) {
  TargetSurvey survey = Survey();
  survey.pages_written.reset();
  survey.precopy_obstacle = "it needs Linux 6.7 or later";
  const SaveForecast forecast = ForecastFrom(survey, {});
  EXPECT_EQ(Precopy(forecast).obstacle, survey.precopy_obstacle);
  EXPECT_EQ(Wp(forecast).obstacle, "");
}

TEST(SaveForecastTest, ATargetThatWritesFasterThanPagesCanBeServedIsForked) {
  TargetSurvey survey = Survey();
  survey.pages_written = 1'000'000;
  EXPECT_EQ(ForecastFrom(survey, {}).advice, Via::kFork);
  // Unless there is no memory for the copies.
  survey.available = GiB(4);
  EXPECT_EQ(ForecastFrom(survey, {}).advice, Via::kWriteProtect);
}

TEST(SaveForecastTest, ASmallTargetIsSimplyStopped) {
  TargetSurvey survey = Survey();
  survey.present = MiB(2);
  EXPECT_EQ(ForecastFrom(survey, {}).advice, Via::kStop);
  // But not when the output takes long.
  EXPECT_EQ(ForecastFrom(survey, {.max_bandwidth = KiB(64)}).advice, Via::kWriteProtect);
}

TEST(SaveForecastTest, WithoutWriteProtectionAForkIsNextAndAStopTheLast) {
  TargetSurvey survey = Survey();
  survey.wp_obstacle = "somebody else's";
  EXPECT_EQ(ForecastFrom(survey, {}).advice, Via::kFork);
  survey.available = MiB(20);
  EXPECT_EQ(ForecastFrom(survey, {}).advice, Via::kStop);
}

TEST(SaveForecastTest, CopiesThatNobodyHasMemoryForRuleOutAllButAStop) {
  TargetSurvey survey = Survey();
  survey.copied = GiB(100);
  const SaveForecast forecast = ForecastFrom(survey, {});
  EXPECT_NE(Wp(forecast).obstacle, "");
  EXPECT_NE(Fork(forecast).obstacle, "");
  EXPECT_EQ(Stop(forecast).obstacle, "");
  EXPECT_EQ(forecast.advice, Via::kStop);
}

TEST(SaveForecastTest, ABandwidthLimitAndZeroPagesDecideTheDuration) {
  TargetSurvey survey = Survey();
  const Duration limited = Stop(ForecastFrom(survey, {.max_bandwidth = MiB(100)})).duration;
  EXPECT_GT(limited, Duration(seconds(40)));
  survey.zero_share = 0.5;
  const Duration half = Stop(ForecastFrom(survey, {.max_bandwidth = MiB(100)})).duration;
  EXPECT_GT(half, Duration(seconds(20)));
  EXPECT_LT(half, Duration(seconds(21)));
}

TEST(SaveForecastTest, OfATargetWithoutMemoryNothingOverflows) {
  const SaveForecast forecast = ForecastFrom(TargetSurvey{}, {});
  EXPECT_EQ(forecast.advice, Via::kStop);
  EXPECT_EQ(Stop(forecast).pause, Duration(0));
}

TEST(ForecastReport, JsonHasEachWayAndWhatIsUnknownIsNull) {
  TargetSurvey survey = Survey();
  survey.pages_written.reset();
  survey.wp_obstacle = "taken";
  const Json json = ForecastToJson(ForecastFrom(survey, {}));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["verb"], "save");
  EXPECT_EQ(json["dry_run"], true);
  EXPECT_TRUE(json["pages_written_per_second"].is_null());
  ASSERT_EQ(json["ways"].size(), 5u);
  EXPECT_EQ(json["ways"][0]["instant"], "now");
  EXPECT_EQ(json["ways"][4]["via"], "wp");
  EXPECT_EQ(json["ways"][4]["instant"], "late");
  EXPECT_EQ(json["ways"][0]["possible"], false);
  EXPECT_EQ(json["ways"][0]["obstacle"], "taken");
  EXPECT_EQ(json["ways"][2]["via"], "stop");
  EXPECT_GT(json["ways"][2]["pause_us"], 1'000'000);
  EXPECT_EQ(json["advice"], "fork");
}

TEST(ForecastReport, TextMarksTheWayToTake) {
  const std::string text = ForecastToText(ForecastFrom(Survey(), {}));
  EXPECT_NE(text.find("\n* wp "), std::string::npos) << text;
  EXPECT_NE(text.find("\n  fork "), std::string::npos) << text;
  EXPECT_NE(text.find("Take --via wp: "), std::string::npos) << text;
  EXPECT_NE(text.find("1,000 pages/s"), std::string::npos) << text;
}

}  // namespace
}  // namespace stillframe
