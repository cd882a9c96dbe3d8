// A sink that notes how each page was saved and hands everything on to another one.
#ifndef STILLFRAME_REPORT_HTML_PAGE_RECORDER_H_
#define STILLFRAME_REPORT_HTML_PAGE_RECORDER_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "report/html_memory_map.h"
#include "stillframe/page_sink.h"

namespace stillframe {

// What a recorder saw. Outlives it: a session destroys its sink.
struct HtmlPageRecord {
  // 64 MiB. At the bound neighbours of one kind are put together; if that frees less than half, the
  // rest goes unrecorded.
  static constexpr size_t kMaxRanges = size_t{1} << 22;

  std::vector<HtmlPageRange> ranges;
  std::vector<SavedMapping> mappings;  // empty until Finish
  Pages unknown{0};                    // not recorded, see kMaxRanges

  HtmlMemoryMap ToMap() const;
};

// Wraps `sink`. Read the record when the save is over only: until then the session's threads write
// it. It allocates, so it is no sink for a save of one's own process.
std::unique_ptr<PageSink> RecordPages(std::unique_ptr<PageSink> sink,
                                      std::shared_ptr<HtmlPageRecord> record);

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_HTML_PAGE_RECORDER_H_
