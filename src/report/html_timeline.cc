#include "report/html_timeline.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace stillframe {

HtmlTimelineBuilder::HtmlTimelineBuilder(Duration begin, Duration end, size_t bins)
    : end_(end), sent_at_(begin) {
  timeline_.begin = begin;
  if (end <= begin) return;
  bins = std::clamp<size_t>(bins, 1, HtmlTimeline::kMaxBins);
  // Rounded up, so that the bins reach the end.
  const auto count = static_cast<int64_t>(bins);
  timeline_.bin = (end - begin + Duration(count - 1)) / count;
  timeline_.bins.resize(bins);
  sent_by_bin_.resize(bins, 0);
}

template <class Visit>
void HtmlTimelineBuilder::ForEachBin(Duration begin, Duration end, Visit visit) {
  begin = std::max(begin, timeline_.begin);
  end = std::min(end, end_);
  while (begin < end) {
    const auto index = (begin - timeline_.begin) / timeline_.bin;
    const Duration next = std::min(end, timeline_.begin + (index + 1) * timeline_.bin);
    visit(static_cast<size_t>(index), static_cast<double>((next - begin).count()));
    begin = next;
  }
}

void HtmlTimelineBuilder::State(Duration begin, Duration end, HtmlThrottleState state) {
  const double width = static_cast<double>(timeline_.bin.count());
  ForEachBin(begin, end, [&](size_t index, double nanoseconds) {
    HtmlTimeline::Bin& bin = timeline_.bins[index];
    double& share = state == HtmlThrottleState::kPushing       ? bin.pushing
                    : state == HtmlThrottleState::kHoldingBack ? bin.holding_back
                                                               : bin.no_room;
    share = std::min(1.0, share + nanoseconds / width);
  });
}

void HtmlTimelineBuilder::Stage(Duration at, Bytes used) {
  if (timeline_.bins.empty() || at < timeline_.begin || at > end_) return;
  const auto index = static_cast<size_t>((at - timeline_.begin) / timeline_.bin);
  HtmlTimeline::Bin& bin = timeline_.bins[std::min(index, timeline_.bins.size() - 1)];
  bin.stage = bin.stage_known ? std::max(bin.stage, used) : used;
  bin.stage_known = true;
}

void HtmlTimelineBuilder::Sent(Duration at, Bytes sent) {
  if (at <= sent_at_ || sent < sent_) return;
  const double per_nanosecond =
      static_cast<double>((sent - sent_).count) / static_cast<double>((at - sent_at_).count());
  ForEachBin(sent_at_, at, [&](size_t index, double nanoseconds) {
    sent_by_bin_[index] += nanoseconds * per_nanosecond;
  });
  sent_at_ = at;
  sent_ = sent;
}

void HtmlTimelineBuilder::SetLimits(Bytes stage_size, Bytes max_bandwidth) {
  timeline_.stage_size = stage_size;
  timeline_.max_bandwidth = max_bandwidth;
}

HtmlTimeline HtmlTimelineBuilder::Take() && {
  bool known = false;
  Bytes last{0};
  // Rounded where the sums are, so that the bins together have every byte.
  double sent = 0;
  uint64_t counted = 0;
  for (size_t i = 0; i < timeline_.bins.size(); ++i) {
    HtmlTimeline::Bin& bin = timeline_.bins[i];
    sent += sent_by_bin_[i];
    bin.sent = Bytes{static_cast<uint64_t>(std::llround(sent)) - counted};
    counted += bin.sent.count;
    if (!bin.stage_known && known) {
      bin.stage = last;
      bin.stage_known = true;
    }
    known = bin.stage_known;
    last = bin.stage;
  }
  return std::move(timeline_);
}

}  // namespace stillframe
