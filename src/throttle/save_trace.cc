// The text of a trace: one fact a line, its words apart by one space. docs/throttling.md describes
// it.
#include "stillframe/save_trace.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace stillframe {
namespace {

constexpr std::string_view kFirstLine = "stillframe-trace 1";
constexpr size_t kMostWords = 6;
// Seventy years: whatever is beyond it would overflow when added to.
constexpr uint64_t kLongest = uint64_t{1} << 61;

void Append(std::string& text, uint64_t value, int base = 10) {
  std::array<char, 32> digits;
  const auto [end, error] =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  text.push_back(' ');
  text.append(digits.data(), end);
}

void Append(std::string& text, Duration value) {
  Append(text, static_cast<uint64_t>(value.count()));
}

void AppendFact(std::string& text, std::string_view name, uint64_t value) {
  text += name;
  Append(text, value);
  text.push_back('\n');
}

void AppendHead(std::string& text, const SaveTrace& trace) {
  text += kFirstLine;
  text += "\npolicy " + trace.throttle.policy + "\nlimits";
  Append(text, trace.throttle.fault_limit);
  Append(text, trace.throttle.poll_time);
  Append(text, trace.throttle.poll_count);
  Append(text, trace.throttle.force_after);
  text.push_back('\n');
  AppendFact(text, "stage", trace.stage_size.count);
  AppendFact(text, "bandwidth", trace.max_bandwidth.count);
  AppendFact(text, "present", trace.present.count);
  AppendFact(text, "length", static_cast<uint64_t>(trace.length.count()));
  text += "counters";
  Append(text, trace.counters.triggers);
  Append(text, trace.counters.polls);
  Append(text, trace.counters.forced);
  text.push_back('\n');
}

// The words of one line.
class Line {
 public:
  explicit Line(std::string_view text) {
    while (count_ < words_.size()) {
      const size_t space = text.find(' ');
      words_[count_++] = text.substr(0, space);
      if (space == std::string_view::npos) return;
      text.remove_prefix(space + 1);
    }
    too_many_ = true;
  }

  std::string_view name() const { return words_[0]; }
  bool Has(size_t values) const { return !too_many_ && count_ == values + 1; }
  std::string_view Word(size_t i) const { return words_[i]; }
  // Sets `bad` when the word is no number from 0 to `most`.
  uint64_t Number(size_t i, bool& bad, uint64_t most = UINT64_MAX, int base = 10) const {
    const std::string_view word = words_[i];
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
    if (error != std::errc() || end != word.data() + word.size() || value > most) bad = true;
    return value;
  }
  Duration Time(size_t i, bool& bad) const {
    return Duration(static_cast<int64_t>(std::min(Number(i, bad, kLongest), kLongest)));
  }

 private:
  std::array<std::string_view, kMostWords> words_;
  size_t count_ = 0;
  bool too_many_ = false;
};

bool IsPolicyName(std::string_view word) {
  return !word.empty() && word.size() <= 32 && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

class Decoder {
 public:
  explicit Decoder(std::string_view text) : rest_(text) {}

  Result<SaveTrace> Run() {
    const auto first = NextLine();
    if (!first || *first != kFirstLine) {
      return Fail(ErrorCode::kDamaged, "this is no trace of a save, or one of a later version",
                  "a trace is written by stillframe save --trace FILE");
    }
    while (const auto text = NextLine()) {
      if (ended_) return Bad("something follows the end");
      const Line line(*text);
      if (const char* why = Take(line)) return Bad(why);
    }
    if (!ended_) return Bad("the trace is cut off");
    return std::move(trace_);
  }

 private:
  std::optional<std::string_view> NextLine() {
    if (rest_.empty()) return std::nullopt;
    ++number_;
    const size_t end = rest_.find('\n');
    // A line without an end was cut off; as it stands it matches nothing.
    const std::string_view line = end == std::string_view::npos ? "" : rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return line;
  }

  tl::unexpected<Error> Bad(const char* why) const {
    return Fail(ErrorCode::kDamaged, "line " + std::to_string(number_) + " of the trace: " + why,
                "take the trace again");
  }

  // What is wrong with the line; null: nothing.
  const char* Take(const Line& line) {
    bad_ = false;
    const char* why = line.name() == "fault"   ? TakeFault(line)
                      : line.name() == "look"  ? TakeLook(line)
                      : line.name() == "range" ? TakeRange(line)
                      : line.name() == "end"   ? TakeEnd(line)
                                               : TakeFact(line);
    if (why == nullptr && bad_) why = "not a number, or one outside its range";
    return why;
  }

  const char* TakeFact(const Line& line) {
    if (line.name() == "policy" && line.Has(1)) {
      trace_.throttle.policy = line.Word(1);
      return IsPolicyName(line.Word(1)) ? nullptr : "not the name of a policy";
    }
    if (line.name() == "limits" && line.Has(4)) {
      trace_.throttle.fault_limit = line.Time(1, bad_);
      trace_.throttle.poll_time = line.Time(2, bad_);
      trace_.throttle.poll_count = line.Number(3, bad_);
      trace_.throttle.force_after = line.Time(4, bad_);
      return nullptr;
    }
    if (line.name() == "counters" && line.Has(3)) {
      trace_.counters = {line.Number(1, bad_), line.Number(2, bad_), line.Number(3, bad_)};
      return nullptr;
    }
    if (!line.Has(1)) return "not a line of a trace";
    if (line.name() == "stage") {
      trace_.stage_size = {line.Number(1, bad_)};
    } else if (line.name() == "bandwidth") {
      trace_.max_bandwidth = {line.Number(1, bad_)};
    } else if (line.name() == "present") {
      trace_.present = {line.Number(1, bad_, UINT64_MAX / kPageSize.count)};
    } else if (line.name() == "length") {
      trace_.length = line.Time(1, bad_);
    } else {
      return "not a line of a trace";
    }
    return nullptr;
  }

  const char* TakeRange(const Line& line) {
    if (!line.Has(2)) return "a range has a begin and an end";
    const AddressRange range{{line.Number(1, bad_, UINT64_MAX, 16)},
                             {line.Number(2, bad_, UINT64_MAX, 16)}};
    if (range.empty() || range.begin.value % kPageSize.count != 0 ||
        range.end.value % kPageSize.count != 0) {
      return "a range is of whole pages and not empty";
    }
    if (!trace_.ranges.empty() && range.begin < trace_.ranges.back().end) {
      return "ranges come by rising address";
    }
    if (trace_.ranges.size() >= SaveTrace::kMostRanges) return "too many ranges";
    trace_.ranges.push_back(range);
    return nullptr;
  }

  const char* TakeFault(const Line& line) {
    if (!line.Has(4)) return "a fault has an arrival, a wait, an address, and whether it ended";
    if (trace_.faults.size() >= SaveTrace::kMostFaults) return "too many faults";
    trace_.faults.push_back({.arrival = line.Time(1, bad_),
                             .wait = line.Time(2, bad_),
                             .address = {line.Number(3, bad_, UINT64_MAX, 16)},
                             .finished = line.Number(4, bad_, 1) == 1});
    return nullptr;
  }

  const char* TakeLook(const Line& line) {
    if (!line.Has(5)) return "a look has a time, three counts and a state";
    if (trace_.looks.size() >= SaveTrace::kMostLooks) return "too many looks";
    const std::string_view state = line.Word(5);
    if (state != "push" && state != "hold" && state != "full") return "not a state of the scan";
    trace_.looks.push_back({.at = line.Time(1, bad_),
                            .stage_used = {line.Number(2, bad_)},
                            .sent = {line.Number(3, bad_)},
                            .scanned = {line.Number(4, bad_)},
                            .held = state == "hold",
                            .no_room = state == "full"});
    const size_t n = trace_.looks.size();
    return n > 1 && trace_.looks[n - 1].at < trace_.looks[n - 2].at ? "looks come by rising time"
                                                                    : nullptr;
  }

  const char* TakeEnd(const Line& line) {
    if (!line.Has(5)) return "the end has five counts";
    ended_ = true;
    const uint64_t faults = line.Number(1, bad_);
    trace_.faults_left_out = line.Number(2, bad_);
    const uint64_t looks = line.Number(3, bad_);
    const uint64_t ranges = line.Number(4, bad_);
    trace_.ranges_left_out = line.Number(5, bad_);
    const bool complete = faults == trace_.faults.size() && looks == trace_.looks.size() &&
                          ranges == trace_.ranges.size();
    return complete ? nullptr : "lines are missing before it";
  }

  std::string_view rest_;
  uint64_t number_ = 0;
  bool bad_ = false;
  bool ended_ = false;
  SaveTrace trace_;
};

}  // namespace

std::string EncodeTrace(const SaveTrace& trace) {
  std::string text;
  text.reserve(256 + 48 * (trace.faults.size() + trace.looks.size() + trace.ranges.size()));
  AppendHead(text, trace);
  for (const AddressRange& range : trace.ranges) {
    text += "range";
    Append(text, range.begin.value, 16);
    Append(text, range.end.value, 16);
    text.push_back('\n');
  }
  for (const TracedLook& look : trace.looks) {
    text += "look";
    Append(text, look.at);
    Append(text, look.stage_used.count);
    Append(text, look.sent.count);
    Append(text, look.scanned.count);
    text += look.no_room ? " full\n" : look.held ? " hold\n" : " push\n";
  }
  for (const TracedFault& fault : trace.faults) {
    text += "fault";
    Append(text, fault.arrival);
    Append(text, fault.wait);
    Append(text, fault.address.value, 16);
    text += fault.finished ? " 1\n" : " 0\n";
  }
  text += "end";
  Append(text, trace.faults.size());
  Append(text, trace.faults_left_out);
  Append(text, trace.looks.size());
  Append(text, trace.ranges.size());
  Append(text, trace.ranges_left_out);
  text.push_back('\n');
  return text;
}

Result<SaveTrace> DecodeTrace(std::string_view text) { return Decoder(text).Run(); }

}  // namespace stillframe
