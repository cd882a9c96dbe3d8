// What the saver did over time: throttle, stage and output, in time bins of one width.
#ifndef STILLFRAME_REPORT_HTML_TIMELINE_H_
#define STILLFRAME_REPORT_HTML_TIMELINE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "stillframe/units.h"

namespace stillframe {

struct HtmlTimeline {
  static constexpr size_t kMaxBins = 600;

  struct Bin {
    // Shares of the bin's time, 0 to 1; what is left of 1 is time about which nothing is known.
    double pushing = 0;       // the scan pushed pages
    double holding_back = 0;  // the throttle let it push nothing
    double no_room = 0;       // it would have, but the output had not taken its last runs yet
    Bytes stage{0};           // most that was used
    bool stage_known = false;
    Bytes sent{0};  // to the output, in this bin
  };

  Duration begin{0};
  Duration bin{0};         // width; zero: nothing was recorded
  std::vector<Bin> bins;   // at most kMaxBins
  Bytes stage_size{0};     // zero: not known
  Bytes max_bandwidth{0};  // per second; zero: no limit

  bool empty() const { return bins.empty(); }
};

enum class HtmlThrottleState : uint8_t { kPushing, kHoldingBack, kNoRoom };

// Fills a timeline over a time span that is known beforehand. Thread rule: one thread.
class HtmlTimelineBuilder {
 public:
  // [begin, end) is cut into `bins` bins, at most kMaxBins; what lies outside is ignored.
  HtmlTimelineBuilder(Duration begin, Duration end, size_t bins = 400);

  void State(Duration begin, Duration end, HtmlThrottleState state);
  void Stage(Duration at, Bytes used);
  // `sent`: all bytes that had gone to the output by then; call in the order of time. They are
  // spread evenly over the time since the last call.
  void Sent(Duration at, Bytes sent);
  void SetLimits(Bytes stage_size, Bytes max_bandwidth);

  // Bins without a sample of the stage take the last one's before them.
  HtmlTimeline Take() &&;

 private:
  // Calls `visit(bin, share of [begin, end) in it, in nanoseconds)`.
  template <class Visit>
  void ForEachBin(Duration begin, Duration end, Visit visit);

  HtmlTimeline timeline_;
  Duration end_;
  Duration sent_at_;
  Bytes sent_{0};
  std::vector<double> sent_by_bin_;
};

}  // namespace stillframe

#endif  // STILLFRAME_REPORT_HTML_TIMELINE_H_
