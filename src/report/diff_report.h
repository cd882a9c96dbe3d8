// In what two images differ.
#ifndef STILLFRAME_REPORT_DIFF_REPORT_H_
#define STILLFRAME_REPORT_DIFF_REPORT_H_

#include <string>
#include <string_view>
#include <vector>

#include "report/html_report.h"
#include "report/json.h"
#include "stillframe/image_diff.h"
#include "stillframe/image_reader.h"

namespace stillframe {

// The two images of a diff. Outlive it.
struct DiffedImages {
  const ImageReader& a;
  const ImageReader& b;
  std::string_view a_path;  // as the user named them
  std::string_view b_path;
};

// The object of `diff --json`; the README lists its fields.
Json DiffToJson(const ImageDiff& diff, const DiffedImages& images);
// The same for a person, with a line for each range.
std::string DiffToText(const ImageDiff& diff, const DiffedImages& images);
// The same as a memory map. `facts`: what stands above it beside the images and the pages.
HtmlReport MakeHtmlDiffReport(const ImageDiff& diff, const DiffedImages& images,
                              std::vector<HtmlFact> facts);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_DIFF_REPORT_H_
