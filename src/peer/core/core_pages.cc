#include "peer/core/core_pages.h"

#include <algorithm>

#include "image/coverage.h"
#include "image/zero_scan.h"
#include "peer/core/elf_headers.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
// How many program headers more than there are mappings at first there is room for, at least.
constexpr uint64_t kSpareHeaders = 64;
constexpr uint64_t kMovedPages = ToPages(MiB(16)).count;

uint64_t PageOf(uint64_t offset) { return offset / kPage; }

// How many pages from the first one on are zero, or are not.
size_t RunLength(std::span<const std::byte> pages, bool zero) {
  const size_t count = pages.size() / kPage;
  size_t length = 1;
  while (length < count && IsZeroPage(pages.data() + length * kPage) == zero) ++length;
  return length;
}

}  // namespace

void CorePages::LayOut(size_t mappings) {
  const uint64_t headers = ProgramHeaderCount(mappings + std::max(kSpareHeaders, mappings / 8));
  contents_ = (sizeof(Elf64_Ehdr) + ProgramHeaderBytes(headers) + kPage - 1) / kPage * kPage;
  layout_.emplace(contents_);
}

Result<void> CorePages::Expect(std::span<const SavedMapping> mappings, Expectation expectation) {
  if (!layout_) LayOut(mappings.size());
  STILLFRAME_TRY(layout_->Expect(mappings, expectation));
  if (expectation == Expectation::kSoFar) return {};
  // A file system that can't have a file as large as that is heard of now.
  return store_.SetSize(Bytes{layout_->contents_end()});
}

template <class Visit>
Result<void> CorePages::ForEachPlace(AddressRange range, Visit visit) {
  if (!layout_) LayOut(0);
  if (!layout_->settled()) STILLFRAME_TRY(layout_->MakeRoomFor(range));
  while (!range.empty()) {
    const std::optional<FilePlace> place = layout_->Find(range);
    if (!place || place->addresses.begin != range.begin) STILLFRAME_TRY(Outside(range.begin));
    if (!place) return {};
    STILLFRAME_TRY(visit(*place));
    range.begin = place->addresses.end;
  }
  return {};
}

Result<void> CorePages::Outside(TargetAddress address) const {
  // Told before the instant, of a mapping that is gone.
  if (repeats_) return {};
  return Fail(ErrorCode::kInternal, "writing the core: the page at " + Hex(address.value) +
                                        " belongs to no saved mapping");
}

Result<void> CorePages::Write(TargetAddress address, std::span<const std::byte> pages,
                              PageSource source) {
  return ForEachPlace({address, address + Bytes{pages.size()}}, [&](const FilePlace& place) {
    const uint64_t skip = (place.addresses.begin - address).count;
    return WriteTo(place, pages.subspan(skip, place.addresses.size().count), source);
  });
}

Result<void> CorePages::WriteTo(const FilePlace& place, std::span<const std::byte> pages,
                                PageSource source) {
  for (TargetAddress at = place.addresses.begin; !pages.empty();) {
    const bool zero = IsZeroPage(pages.data());
    const size_t length = RunLength(pages, zero);
    const auto run = pages.first(length * kPage);
    const FilePlace part = place.Part({at, at + Bytes{run.size()}});
    if (!zero) {
      STILLFRAME_TRY(pacing_.InPieces(run.size(), [&](uint64_t begin, uint64_t size) {
        return store_.WriteAt(part.offset + begin, run.subspan(begin, size));
      }));
    }
    STILLFRAME_TRY(Mark(part, zero ? PageState::Zero() : PageState::Data(source)));
    if (zero) {
      counts_.AddZero(length);
    } else {
      counts_.AddData(source, length);
    }
    at = part.addresses.end;
    pages = pages.subspan(run.size());
  }
  return {};
}

Result<void> CorePages::Zero(AddressRange range) {
  return ForEachPlace(range, [this](const FilePlace& place) -> Result<void> {
    STILLFRAME_TRY(Mark(place, PageState::Zero()));
    counts_.AddZero(place.addresses.pages().count);
    return {};
  });
}

Result<void> CorePages::Lost(AddressRange range, std::string_view reason) {
  STILLFRAME_ASSIGN(const PageState state, LostState(reason));
  return ForEachPlace(range, [this, state](const FilePlace& place) -> Result<void> {
    STILLFRAME_TRY(Mark(place, state));
    counts_.AddLost(place.addresses.pages().count);
    return {};
  });
}

Result<PageState> CorePages::LostState(std::string_view reason) {
  const auto found = std::find(reasons_.begin(), reasons_.end(), reason);
  const auto number = static_cast<size_t>(found - reasons_.begin());
  if (number == PageState::kMostReasons) {
    return Fail(ErrorCode::kUnsupported, "writing the core: more than " +
                                             std::to_string(PageState::kMostReasons) +
                                             " different reasons for lost pages");
  }
  if (found == reasons_.end()) reasons_.emplace_back(reason);
  return PageState::Lost(number);
}

// Pages that are not data have nothing but zeros in the file, always.
Result<void> CorePages::Mark(const FilePlace& place, PageState state) {
  const uint64_t first = PageOf(place.offset);
  const uint64_t count = place.addresses.pages().count;
  const auto check = [&](const PageStates::Run& run) -> Result<void> {
    if (!run.state.is_told()) return {};
    if (!repeats_) {
      const uint64_t page = place.addresses.begin.value + (run.first - first) * kPage;
      return Fail(ErrorCode::kInternal,
                  "writing the core: the page at " + Hex(page) + " is there twice");
    }
    if (!run.state.is_data() || state.is_data()) return {};
    return Erase(run.first * kPage, run.count * kPage);
  };
  STILLFRAME_TRY(ForEachRun(states_, first, count, check));
  return states_.Set(first, count, state);
}

Result<void> CorePages::Erase(uint64_t offset, uint64_t size) {
  if (store_.MakeHole(offset, Bytes{size})) return {};
  return pacing_.InPieces(size, [&](uint64_t at, uint64_t piece) {
    return store_.WriteZeros(offset + at, Bytes{piece});
  });
}

Result<void> CorePages::Complete(std::span<const SavedMapping> mappings) {
  if (!layout_->Holds(mappings)) {
    return Fail(ErrorCode::kInternal, "completing the core: the mappings are not as expected");
  }
  STILLFRAME_TRY(MoveFormer());
  const uint64_t told = counts_.total();
  STILLFRAME_TRY(CountAnew());
  if (!repeats_ && told != counts_.total()) {
    return Fail(ErrorCode::kInternal, "completing the core: a page belongs to no saved mapping");
  }
  DiscardLeftovers();
  return {};
}

Result<void> CorePages::MoveFormer() {
  const std::span<const FilePlace> all = layout_->former();
  // What was told last stands in the latest place.
  for (auto former = all.rbegin(); former != all.rend(); ++former) {
    AddressRange left = former->addresses;
    for (auto place = layout_->Find(left); place; place = layout_->Find(left)) {
      STILLFRAME_TRY(Move(former->Part(place->addresses), *place));
      left.begin = place->addresses.end;
    }
  }
  return {};
}

Result<void> CorePages::Move(const FilePlace& former, const FilePlace& place) {
  const uint64_t from = PageOf(former.offset);
  const uint64_t to = PageOf(place.offset);
  return ForEachRun(states_, from, former.addresses.pages().count, [&](const PageStates::Run& run) {
    if (!run.state.is_told()) return Result<void>{};
    const auto move = [&](const PageStates::Run& now) {
      if (now.state.is_told()) return Result<void>{};
      return MoveRun(now.first - to + from, now.first, now.count, run.state);
    };
    return ForEachRun(states_, run.first - from + to, run.count, move);
  });
}

Result<void> CorePages::MoveRun(uint64_t from, uint64_t to, uint64_t pages, PageState state) {
  STILLFRAME_TRY(states_.Set(to, pages, state));
  if (!state.is_data()) return {};
  // In steps, so that the disk does not have to hold all of it twice.
  for (uint64_t done = 0; done < pages; done += kMovedPages) {
    const uint64_t size = std::min(pages - done, kMovedPages) * kPage;
    const uint64_t source = (from + done) * kPage;
    const uint64_t target = (to + done) * kPage;
    STILLFRAME_TRY(pacing_.InPieces(size, [&](uint64_t at, uint64_t piece) {
      return store_.Copy(source + at, target + at, Bytes{piece});
    }));
    store_.MakeHole(source, Bytes{size});
  }
  return {};
}

Result<void> CorePages::CountAnew() {
  counts_.Clear();
  for (const FilePlace& place : layout_->places()) {
    const uint64_t first = PageOf(place.offset);
    const auto count = [&](const PageStates::Run& run) -> Result<void> {
      if (!run.state.is_told()) {
        const uint64_t page = place.addresses.begin.value + (run.first - first) * kPage;
        return Fail(ErrorCode::kInternal,
                    "completing the core: the page at " + Hex(page) + " is missing");
      }
      if (run.state.is_data()) {
        counts_.AddData(run.state.source(), run.count);
      } else if (run.state.is_lost()) {
        counts_.AddLost(run.count);
      } else {
        counts_.AddZero(run.count);
      }
      return {};
    };
    STILLFRAME_TRY(ForEachRun(states_, first, place.addresses.pages().count, count));
  }
  return {};
}

// Between the places there is room that was not needed, and what stood there once.
void CorePages::DiscardLeftovers() {
  if (!repeats_) return;
  std::vector<FilePlace> by_offset(layout_->places().begin(), layout_->places().end());
  std::ranges::sort(by_offset, {}, &FilePlace::offset);
  uint64_t at = contents_;
  for (const FilePlace& place : by_offset) {
    const auto discard = [this](const PageStates::Run& run) -> Result<void> {
      if (run.state.is_data()) store_.MakeHole(run.first * kPage, Bytes{run.count * kPage});
      return {};
    };
    static_cast<void>(ForEachRun(states_, PageOf(at), PageOf(place.offset - at), discard));
    at = place.end();
  }
}

std::vector<RangeReason> CorePages::LostRanges() const {
  std::vector<RangeReason> lost;
  for (const FilePlace& place : layout_->places()) {
    const uint64_t first = PageOf(place.offset);
    const auto note = [&](const PageStates::Run& run) -> Result<void> {
      if (!run.state.is_lost()) return {};
      const TargetAddress begin = place.addresses.begin + Bytes{(run.first - first) * kPage};
      const TargetAddress end = begin + Bytes{run.count * kPage};
      const std::string& reason = reasons_[run.state.reason()];
      if (!lost.empty() && lost.back().range.end == begin && lost.back().reason == reason) {
        lost.back().range.end = end;
      } else {
        lost.push_back({{begin, end}, reason});
      }
      return {};
    };
    static_cast<void>(ForEachRun(states_, first, place.addresses.pages().count, note));
  }
  return lost;
}

}  // namespace stillframe
