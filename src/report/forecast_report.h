// What each way of saving would cost.
#ifndef STILLFRAME_REPORT_FORECAST_REPORT_H_
#define STILLFRAME_REPORT_FORECAST_REPORT_H_

#include <string>
#include <string_view>

#include "report/json.h"
#include "stillframe/save_forecast.h"

namespace stillframe {

// The object of `save --dry-run --json`; the README lists its fields. `verb`: of the command.
Json ForecastToJson(const SaveForecast& forecast, std::string_view verb = "save");
// A table for a person, each line with its newline.
std::string ForecastToText(const SaveForecast& forecast);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_FORECAST_REPORT_H_
