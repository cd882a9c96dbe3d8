#include "report/html_panel.h"

#include <algorithm>
#include <utility>

#include "report/text.h"

namespace stillframe {
namespace {

HtmlThrottleState StateOf(const TracedLook& look) {
  if (look.no_room) return HtmlThrottleState::kNoRoom;
  return look.held ? HtmlThrottleState::kHoldingBack : HtmlThrottleState::kPushing;
}

HtmlTimeline MakeTimeline(const SaveTrace& trace) {
  HtmlTimelineBuilder builder(Duration(0), trace.length);
  builder.SetLimits(trace.stage_size, trace.max_bandwidth);
  for (size_t i = 0; i < trace.looks.size(); ++i) {
    const TracedLook& look = trace.looks[i];
    const Duration until = i + 1 < trace.looks.size() ? trace.looks[i + 1].at : trace.length;
    builder.State(look.at, until, StateOf(look));
    builder.Stage(look.at, look.stage_used);
    builder.Sent(look.at, look.sent);
  }
  return std::move(builder).Take();
}

HtmlPageKind KindOf(const ImageRun& run) {
  if (run.kind == PageKind::kZero) return HtmlPageKind::kZero;
  // Either is not to be had any more.
  if (run.kind == PageKind::kLost || run.kind == PageKind::kFreed) return HtmlPageKind::kLost;
  if (run.source == PageSource::kFaulted) return HtmlPageKind::kFaulted;
  return run.source == PageSource::kPaused ? HtmlPageKind::kPaused : HtmlPageKind::kScanned;
}

}  // namespace

HtmlPanel MakeHtmlPanel(std::string name, const SaveTrace& trace) {
  HtmlPanel panel;
  panel.name = std::move(name);
  panel.latency_title = "Waits of writes that faulted";
  HtmlHeatMapBuilder latency;
  for (const TracedFault& fault : trace.faults) {
    latency.Add(fault.arrival, fault.wait);
    panel.end = std::max(panel.end, fault.arrival + fault.wait);
  }
  panel.end = std::max(panel.end, trace.length);
  panel.latency = latency.map();
  panel.timeline = MakeTimeline(trace);
  if (trace.faults_left_out > 0) {
    panel.note = "The heat map leaves out the last " + FormatCount(trace.faults_left_out) +
                 " faults: only the first " + FormatCount(trace.faults.size()) + " were kept.";
  }
  return panel;
}

HtmlMemoryMap MakeHtmlMemoryMap(const ImageReader& image) {
  std::vector<HtmlPageRange> ranges;
  for (const SavedMapping& mapping : image.metadata().mappings) {
    for (const ImageRun& run : image.Runs(mapping.saved)) {
      ranges.push_back({run.range, KindOf(run)});
    }
  }
  return MakeHtmlMemoryMap(image.metadata().mappings, ranges);
}

}  // namespace stillframe
