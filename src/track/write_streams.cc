#include "track/write_streams.h"

#include <algorithm>

namespace stillframe {

const WriteStreams::Stream* WriteStreams::Find(PageIndex page) const {
  const auto found = std::ranges::find_if(streams_, [page](const Stream& stream) {
    return stream.length.count > 0 && page >= stream.next && page - stream.next < kReach;
  });
  return found == streams_.end() ? nullptr : &*found;
}

Pages WriteStreams::Wanted(PageIndex page) const {
  const Stream* stream = Find(page);
  return stream == nullptr ? Pages{1} : std::min(stream->length * 2, kMost);
}

void WriteStreams::Opened(PageRun pages) {
  auto* stream = const_cast<Stream*>(Find(pages.first));
  if (stream == nullptr) {
    // The one that was of no use for the longest time makes way.
    stream = &*std::ranges::min_element(streams_, {}, &Stream::used);
  }
  *stream = {.next = pages.end(), .length = pages.count, .used = ++uses_};
}

}  // namespace stillframe
