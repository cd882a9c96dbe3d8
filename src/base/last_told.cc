#include "base/last_told.h"

#include <algorithm>
#include <numeric>
#include <queue>

namespace stillframe {
namespace {

void Append(ToldPart part, std::vector<ToldPart>* parts) {
  if (!parts->empty() && parts->back().told == part.told &&
      parts->back().range.end == part.range.begin) {
    parts->back().range.end = part.range.end;
  } else {
    parts->push_back(part);
  }
}

}  // namespace

std::vector<ToldPart> LastTold(std::span<const AddressRange> ranges) {
  std::vector<size_t> by_begin(ranges.size());
  std::iota(by_begin.begin(), by_begin.end(), size_t{0});
  std::ranges::sort(by_begin, {}, [&](size_t i) { return ranges[i].begin; });

  std::vector<ToldPart> parts;
  std::priority_queue<size_t> open;  // the latest one on top; ended ones below it may stay
  TargetAddress at;
  auto next = by_begin.begin();
  for (;;) {
    while (!open.empty() && ranges[open.top()].end <= at) open.pop();
    if (open.empty()) {
      if (next == by_begin.end()) return parts;
      at = ranges[*next].begin;
    }
    while (next != by_begin.end() && ranges[*next].begin <= at) open.push(*next++);
    TargetAddress end = ranges[open.top()].end;
    if (next != by_begin.end()) end = std::min(end, ranges[*next].begin);
    Append({{at, end}, open.top()}, &parts);
    at = end;
  }
}

}  // namespace stillframe
