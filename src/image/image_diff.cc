#include "stillframe/image_diff.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace stillframe {
namespace {

// Pages that are read at once, of each image.
constexpr size_t kBatch = 512;
// What may wait for the pages before it to be read.
constexpr size_t kMostWaiting = 65536;

// The runs of an image one after the other, mapping by mapping: all of them at once may be many.
class RunCursor {
 public:
  explicit RunCursor(const ImageReader& image) : image_(image) { Fetch(); }

  bool done() const { return next_ == runs_.size(); }
  const ImageRun& run() const { return runs_[next_]; }
  // Goes on behind `address`, which lies in the run or at its end.
  void Skip(TargetAddress address) {
    runs_[next_].range.begin = address;
    if (!runs_[next_].range.empty()) return;
    if (++next_ == runs_.size()) Fetch();
  }

 private:
  void Fetch() {
    const std::vector<SavedMapping>& mappings = image_.metadata().mappings;
    while (next_ == runs_.size() && mapping_ < mappings.size()) {
      runs_ = image_.Runs(mappings[mapping_++].saved);
      next_ = 0;
    }
  }

  const ImageReader& image_;
  size_t mapping_ = 0;
  std::vector<ImageRun> runs_;
  size_t next_ = 0;
};

// Puts together what is found, in the order of the addresses, though some of it is known only once
// pages were read.
class Findings {
 public:
  Findings(const ImageReader& a, const ImageReader& b)
      : a_(a.Queue()), b_(b.Queue()), bytes_(2 * kBatch * kPageSize.count) {}

  // `difference`: none for equal pages.
  Result<void> Add(AddressRange range, std::optional<Difference> difference) {
    if (waiting_.empty()) {
      Settle(range, difference);
      return {};
    }
    waiting_.push_back({.range = range, .difference = difference, .read = false});
    return waiting_.size() < kMostWaiting ? Result<void>{} : Flush();
  }

  // Has the page read from both.
  Result<void> AddUnknown(TargetAddress page) {
    STILLFRAME_TRY(a_->QueueRead(page, Place(2 * noted_)));
    STILLFRAME_TRY(b_->QueueRead(page, Place(2 * noted_ + 1)));
    waiting_.push_back({.range = {page, page + kPageSize}, .difference = {}, .read = true});
    return ++noted_ < kBatch ? Result<void>{} : Flush();
  }

  Result<void> Flush() {
    if (noted_ > 0) {
      STILLFRAME_TRY(a_->Sync());
      STILLFRAME_TRY(b_->Sync());
    }
    size_t read = 0;
    for (Waiting& waiting : waiting_) {
      if (waiting.read) {
        if (!std::ranges::equal(Place(2 * read), Place(2 * read + 1))) {
          waiting.difference = Difference::kChanged;
        }
        ++read;
      }
      Settle(waiting.range, waiting.difference);
    }
    waiting_.clear();
    noted_ = 0;
    return {};
  }

  ImageDiff diff;

 private:
  struct Waiting {
    AddressRange range;
    std::optional<Difference> difference;
    bool read;
  };

  std::span<std::byte> Place(size_t page) {
    return std::span(bytes_).subspan(page * kPageSize.count, kPageSize.count);
  }

  Pages& CountOf(std::optional<Difference> difference) {
    if (!difference) return diff.equal;
    switch (*difference) {
      case Difference::kChanged:
        return diff.changed;
      case Difference::kOnlyA:
        return diff.only_a;
      case Difference::kOnlyB:
        return diff.only_b;
      case Difference::kLost:
        break;
    }
    return diff.lost;
  }

  void Settle(AddressRange range, std::optional<Difference> difference) {
    CountOf(difference) += range.pages();
    if (!difference) return;
    std::vector<DifferentRange>& ranges = diff.ranges;
    if (!ranges.empty() && ranges.back().difference == *difference &&
        ranges.back().range.end == range.begin) {
      ranges.back().range.end = range.end;
    } else {
      ranges.push_back({range, *difference});
    }
  }

  std::unique_ptr<PageQueue> a_;
  std::unique_ptr<PageQueue> b_;
  std::vector<std::byte> bytes_;  // of each page that was noted: what A has, what B has
  size_t noted_ = 0;
  std::vector<Waiting> waiting_;
};

// Goes through both images side by side.
class Comparison {
 public:
  Comparison(const ImageReader& a, const ImageReader& b) : a_(a), b_(b), findings_(a, b) {}

  Result<ImageDiff> Run() {
    RunCursor a(a_);
    RunCursor b(b_);
    while (!a.done() || !b.done()) {
      if (b.done() || (!a.done() && a.run().range.begin < b.run().range.begin)) {
        STILLFRAME_TRY(OnlyOne(a, b, Difference::kOnlyA));
      } else if (a.done() || b.run().range.begin < a.run().range.begin) {
        STILLFRAME_TRY(OnlyOne(b, a, Difference::kOnlyB));
      } else {
        const TargetAddress end = std::min(a.run().range.end, b.run().range.end);
        STILLFRAME_TRY(Both(a.run(), b.run(), {a.run().range.begin, end}));
        a.Skip(end);
        b.Skip(end);
      }
    }
    STILLFRAME_TRY(findings_.Flush());
    return std::move(findings_.diff);
  }

 private:
  Result<void> OnlyOne(RunCursor& one, const RunCursor& other, Difference difference) {
    AddressRange range = one.run().range;
    if (!other.done()) range.end = std::min(range.end, other.run().range.begin);
    one.Skip(range.end);
    return findings_.Add(range, difference);
  }

  Result<void> Both(const ImageRun& a, const ImageRun& b, AddressRange range) {
    const auto known = [](const ImageRun& run) {
      return run.kind == PageKind::kData || run.kind == PageKind::kZero;
    };
    if (!known(a) || !known(b)) return findings_.Add(range, Difference::kLost);
    if (a.kind != b.kind) return findings_.Add(range, Difference::kChanged);
    if (a.kind == PageKind::kZero) return findings_.Add(range, std::nullopt);
    if (InOneFile(a, b)) {
      findings_.diff.same_block += range.pages();
      return findings_.Add(range, std::nullopt);
    }
    for (TargetAddress page = range.begin; page < range.end; page = page + kPageSize) {
      STILLFRAME_TRY(Data(page));
    }
    return {};
  }

  // A file has one block for an address, whichever image comes to it by its chain.
  bool InOneFile(const ImageRun& a, const ImageRun& b) const {
    const ChainFile& one = a_.chain()[a.depth];
    const ChainFile& other = b_.chain()[b.depth];
    return one.id == other.id && one.index_checksum == other.index_checksum;
  }

  Result<void> Data(TargetAddress page) {
    const std::optional<PageHash> a = a_.HashOf(page);
    const std::optional<PageHash> b = a ? b_.HashOf(page) : std::nullopt;
    if (!a || !b) {
      findings_.diff.by_bytes += Pages{1};
      return findings_.AddUnknown(page);
    }
    findings_.diff.by_hash += Pages{1};
    return findings_.Add({page, page + kPageSize},
                         *a == *b ? std::nullopt : std::optional(Difference::kChanged));
  }

  const ImageReader& a_;
  const ImageReader& b_;
  Findings findings_;
};

}  // namespace

Result<ImageDiff> DiffImages(const ImageReader& a, const ImageReader& b) {
  return Comparison(a, b).Run();
}

}  // namespace stillframe
