// Random sequences of all that makes, changes and thins out images of one process. After each step
// every image is held against a copy that was made while the process stood still, and in the end
// damage is looked for everywhere in a chain.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "attach_child.h"
#include "base/unique_fd.h"
#include "cli/image_series.h"
#include "image/coverage.h"
#include "image/freed_wire.h"
#include "image/image_copy.h"
#include "image_chain_target.h"
#include "stillframe/dedup.h"
#include "stillframe/image.h"
#include "stillframe/save.h"
#include "stillframe/watch.h"
#include "support/requirements.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

using test::Board;
using test::kPage;
using test::kPages;
using test::Oracle;
using Random = std::mt19937_64;

using Id = std::array<uint8_t, 16>;

// An image that is there, and what is known of it.
struct Kept {
  std::string path;
  std::shared_ptr<const Oracle> oracle;
  bool in_series = true;
  std::optional<Id> parent = std::nullopt;
  std::vector<Id> names = {};  // under which others have it as their parent
  bool whole = true;           // dedup may have taken nothing of it
};

class ImageChainPropertyTest : public testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    STILLFRAME_REQUIRE(test::MissingRoot());
    STILLFRAME_REQUIRE(test::MissingUserfaultfd());
    void* begin =
        mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(begin, MAP_FAILED);
    memory_.begin.value = reinterpret_cast<uint64_t>(begin);
    memory_.end = memory_.begin + Bytes{kPages * kPage};
    child_.emplace([begin](Board& board) { test::LiveAsAsked(board, static_cast<char*>(begin)); });
    munmap(begin, kPages * kPage);
    child_->AwaitReady();
    auto workers = StartTaskPool(2);
    ASSERT_TRUE(workers);
    workers_ = *std::move(workers);
  }

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  void Note(const std::string& what) { log_ += (what.starts_with(" ") ? "" : "\n") + what; }

  void ChangeTarget() {
    Board& board = child_->board();
    board.value[test::kBusy] = Below(4) != 0;
    for (uint64_t left = Below(8); left > 0; --left) {
      board.value[test::kOp] = static_cast<int64_t>(Below(test::kOps));
      board.value[test::kSeed] = static_cast<int64_t>(random_());
      ++board.value[test::kAsked];
      ASSERT_TRUE(test::Eventually(
          [&board] { return board.value[test::kAsked] == board.value[test::kDone]; }));
    }
  }

  Kept& Any() { return kept_[Below(kept_.size())]; }
  Kept* Newest() {
    const auto last = std::ranges::find_if(kept_.rbegin(), kept_.rend(), &Kept::in_series);
    return last == kept_.rend() ? nullptr : &*last;
  }
  // The newest image, or another one that stands for it.
  Kept* Parent() {
    if (Newest() == nullptr || Below(8) == 0) return nullptr;
    std::vector<Kept*> equal;
    for (Kept& kept : kept_) {
      if (std::ranges::count(kept.names, Newest()->names.front()) > 0) equal.push_back(&kept);
    }
    return equal[Below(equal.size())];
  }
  bool IsParent(const Kept& kept) const {
    return std::ranges::any_of(kept_, [&](const Kept& other) {
      return &other != &kept && other.parent && std::ranges::count(kept.names, *other.parent) > 0;
    });
  }

  ImageOptions RandomOptions() {
    constexpr std::array<Compression, 3> kWays = {
        {{}, {.codec = Codec::kLz4, .level = 1}, {.codec = Codec::kZstd, .level = 1}}};
    return {.compression = kWays[Below(kWays.size())],
            .compare = Below(2) == 0 ? Compare::kHash : Compare::kBytes,
            .workers = Below(2) == 0 ? workers_ : nullptr};
  }
  SaveOptions RandomSave(Via via) {
    SaveOptions options{.via = via};
    if (via == Via::kWriteProtect && Below(2) == 0) options.instant = Instant::kLate;
    options.at_instant = [this](pid_t pid) {
      test::CopyMemory(pid, memory_, instant_.get());
      return Result<void>();
    };
    return options;
  }

  std::unique_ptr<ImageReader> Open(const std::string& path) {
    auto image = ImageReader::Open(path, {.workers = Below(2) == 0 ? workers_ : nullptr});
    EXPECT_TRUE(image) << image.error().message;
    return image ? *std::move(image) : nullptr;
  }

  // By whatever `save` does with a sink.
  template <class Save>
  void AddImage(Kept added, const Kept* parent, Via via, const Save& save) {
    Note(" to " + Name(added) + (parent != nullptr ? " on " + Name(*parent) : ""));
    instant_ = std::make_shared<Oracle>();
    ImageOptions options = RandomOptions();
    if (parent != nullptr) {
      options.parent = Open(parent->path);
      ASSERT_TRUE(options.parent);
      added.parent = options.parent->id();
    }
    auto sink = CreateImage({.path = added.path}, options);
    ASSERT_TRUE(sink) << sink.error().message;
    const Result<SaveSummary> saved = save(*std::move(sink));
    ASSERT_TRUE(saved) << saved.error().message;
    ASSERT_GE(instant_->pages.size(), test::kBusyPages);
    const auto image = Open(added.path);
    ASSERT_TRUE(image);
    for (const RangeReason& lost : LostRanges(*image)) {
      for (TargetAddress at = lost.range.begin; at < lost.range.end; at = at + kPageSize) {
        if (instant_->pages.erase(at.value) > 0) instant_->lost.insert(at.value);
      }
    }
    EXPECT_LE(instant_->lost.size(), via == Via::kWriteProtect ? saved->pages.lost.count : 0);
    added.oracle = instant_;
    kept_.push_back(std::move(added));
  }

  Kept NextOfSeries() const {
    return {.path = ImageSeries::Open(directory_.path()).value().next(), .oracle = nullptr};
  }
  Kept Beside(const std::string& prefix) {
    const std::string path = directory_ / (prefix + std::to_string(++others_));
    return {.path = path, .oracle = nullptr, .in_series = false};
  }

  // A tracer must be alone.
  void EndWatch() {
    session_.reset();
    watched_ = nullptr;
  }

  void SaveOnce(Kept added, const Kept* parent) {
    EndWatch();
    const Via via = std::array{Via::kWriteProtect, Via::kPrecopy, Via::kFork, Via::kStop}[Below(4)];
    Note(std::string(ViaName(via)));
    AddImage(std::move(added), parent, via, [&](auto sink) -> Result<SaveSummary> {
      STILLFRAME_ASSIGN(auto target, AttachProcess(child_->pid(), AttachOptionsFor(via)));
      STILLFRAME_ASSIGN(auto session,
                        SaveSession::Create(std::move(target), std::move(sink), RandomSave(via)));
      return session->Run();
    });
  }

  void SaveWatched() {
    if (!session_) {
      auto target = AttachProcess(child_->pid());
      ASSERT_TRUE(target) << target.error().message;
      auto session = WatchSession::Create(*std::move(target), RandomSave(Via::kPrecopy));
      ASSERT_TRUE(session) << session.error().message;
      session_ = *std::move(session);
    }
    const Kept* parent = Parent();
    const bool follows = parent != nullptr && watched_ == Newest()->oracle;
    Note(follows ? "watch" : "watch anew");
    AddImage(NextOfSeries(), parent, Via::kPrecopy,
             [&](auto sink) { return session_->Save(std::move(sink), follows); });
    watched_ = instant_;
  }

  // To a new file, or over itself.
  void Merge(Kept& of, bool over_itself) {
    Note((over_itself ? "make whole " : "merge ") + Name(of));
    const auto image = Open(of.path);
    ASSERT_TRUE(image);
    bool freed = false;
    for (const SavedMapping& mapping : image->metadata().mappings) {
      for (const ImageRun& run : image->Runs(mapping.saved)) freed |= run.kind == PageKind::kFreed;
    }
    Kept into = over_itself ? of : Beside("merged-");
    Result<void> merged;
    {
      auto sink = CreateMerged(*image, {.path = into.path, .force = over_itself}, RandomOptions());
      ASSERT_TRUE(sink) << sink.error().message;
      merged = CopyImageTo(*image, **sink, nullptr);
    }
    ASSERT_EQ(merged.has_value(), !freed) << (merged ? "" : merged.error().message);
    if (freed) {
      EXPECT_EQ(merged.error().code, ErrorCode::kUsage);
      EXPECT_EQ(std::filesystem::exists(into.path), over_itself);
    } else if (!over_itself) {
      into.oracle = of.oracle;
      kept_.push_back(std::move(into));
    }
  }

  void Dedup() {
    Note("dedup");
    const auto report = DedupImages(directory_.path());
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->images, kept_.size());
    const auto is_parent = [this](const Kept& kept) { return IsParent(kept); };
    EXPECT_EQ(report->images - report->ends,
              static_cast<size_t>(std::ranges::count_if(kept_, is_parent)));
    for (Kept& kept : kept_) kept.whole = kept.whole && !IsParent(kept);
    const auto again = DedupImages(directory_.path());
    ASSERT_TRUE(again) << again.error().message;
    for (const DedupedImage& image : again->deduped) EXPECT_EQ(image.freed.count, 0u);
  }

  void Prune() {
    // A series knows nothing of what else needs its images: branches go before they do.
    std::set<std::string> superfluous;
    for (const Kept& kept : kept_) {
      if (!kept.in_series && (kept.parent || !IsParent(kept))) superfluous.insert(kept.path);
    }
    std::erase_if(kept_, [&](const Kept& kept) { return superfluous.contains(kept.path); });
    for (const std::string& path : superfluous) {
      std::filesystem::remove(path);
      std::filesystem::remove(path + std::string(kFreedSuffix));
    }
    auto series = ImageSeries::Open(directory_.path());
    ASSERT_TRUE(series);
    const auto pruned = series->Prune(2 + Below(3), RandomOptions(), nullptr);
    ASSERT_TRUE(pruned) << pruned.error().message;
    Note("prune " + std::to_string(*pruned));
    EXPECT_EQ(std::erase_if(kept_, [](const Kept& k) { return !std::filesystem::exists(k.path); }),
              *pruned);
  }

  // Also takes from the image under which names it is known by now.
  void ExpectHolds(Kept& kept) {
    SCOPED_TRACE(Name(kept));
    const auto image = Open(kept.path);
    ASSERT_TRUE(image);
    kept.names = {image->id()};
    for (const ImageName& name : image->chain()[0].stands_for) kept.names.push_back(name.id);
    if (image->chain().size() == 1) kept.parent = std::nullopt;
    std::map<uint64_t, PageKind> kinds;
    for (const ImageRun& run : image->Runs(memory_)) {
      for (TargetAddress at = run.range.begin; at < run.range.end; at = at + kPageSize) {
        kinds[at.value] = run.kind;
      }
    }
    EXPECT_EQ(kinds.size(), kept.oracle->pages.size() + kept.oracle->lost.size());
    std::vector<uint64_t> readable;
    for (const auto& [at, kind] : kinds) {
      std::array<std::byte, kPage> page;
      EXPECT_EQ(kept.oracle->lost.contains(at), kind == PageKind::kLost) << Hex(at);
      EXPECT_EQ(kept.oracle->pages.contains(at), kind != PageKind::kLost) << Hex(at);
      // What dedup took must be refused, and is nothing that an end of a chain needs.
      EXPECT_FALSE(kind == PageKind::kFreed && kept.whole) << Hex(at);
      if (kind == PageKind::kData || kind == PageKind::kZero) {
        readable.push_back(at);
        continue;
      }
      const auto code = kind == PageKind::kLost ? ErrorCode::kInternal : ErrorCode::kUsage;
      const auto read = image->ReadPage({at}, page);
      const auto queued = image->Queue()->QueueRead({at}, page);
      ASSERT_TRUE(!read && !queued) << Hex(at);
      EXPECT_TRUE(read.error().code == code && queued.error().code == code) << Hex(at);
    }
    if (HasFailure()) return;
    ExpectQueueReads(*image, *kept.oracle, readable);
    for (int i = 0; i < 8; ++i) ExpectReads(*image, *kept.oracle, readable);
    const auto verified = image->Verify();
    EXPECT_TRUE(verified) << verified.error().message;
  }

  void ExpectQueueReads(const ImageReader& image, const Oracle& oracle,
                        std::vector<uint64_t> pages) {
    if (Below(2) == 0) std::ranges::shuffle(pages, random_);
    std::string memory(pages.size() * kPage, 'x');
    const auto bytes = std::as_writable_bytes(std::span(memory));
    const auto queue = image.Queue();
    for (size_t i = 0; i < pages.size(); ++i) {
      ASSERT_TRUE(queue->QueueRead({pages[i]}, bytes.subspan(i * kPage, kPage)));
    }
    const auto read = queue->Sync();
    ASSERT_TRUE(read) << read.error().message;
    for (size_t i = 0; i < pages.size(); ++i) {
      const bool equal = memory.compare(i * kPage, kPage, oracle.pages.at(pages[i])) == 0;
      ASSERT_TRUE(equal) << "the page at " << Hex(pages[i]);
    }
  }

  // From somewhere in a page on, across others that may not be there.
  void ExpectReads(const ImageReader& image, const Oracle& oracle,
                   const std::vector<uint64_t>& readable) {
    if (readable.empty()) return;
    const uint64_t from = readable[Below(readable.size())];
    const size_t skipped = Below(2) == 0 ? 0 : Below(kPage);
    std::string memory(skipped == 0 ? kPage : 1 + Below(3 * kPage), 'x');
    std::string expected;
    bool all = true;
    for (uint64_t at = from; at < from + skipped + memory.size(); at += kPage) {
      // What lies behind the memory that is looked at is somebody else's.
      if (at >= memory_.end.value) return;
      all = all && std::ranges::binary_search(readable, at);
      if (all) expected += oracle.pages.at(at);
    }
    const auto read = image.Read({from + skipped}, std::as_writable_bytes(std::span(memory)));
    ASSERT_EQ(read.has_value(), all) << Hex(from);
    EXPECT_TRUE(!all || memory == expected.substr(skipped, memory.size())) << Hex(from);
  }

  void Step() {
    ChangeTarget();
    const uint64_t step = Below(15);
    if (step < 3 || kept_.empty()) {
      SaveOnce(NextOfSeries(), Parent());
    } else if (step < 9) {
      SaveWatched();
    } else if (step == 9) {
      Note("end of watch");
      EndWatch();
    } else if (step == 10) {
      SaveOnce(Beside("branch-"), &Any());
    } else if (step == 11) {
      Merge(Any(), false);
    } else if (step == 12) {
      // Others may have it as a parent under each of its names.
      Kept& of = Any();
      for (uint64_t times = 1 + Below(3); times > 0; --times) Merge(of, true);
    } else if (step == 13) {
      Dedup();
    } else {
      Prune();
    }
    if (kept_.size() > kMostKept) Prune();
  }
  // Up to the first one that does not; what led to it is told.
  void ExpectAllHold() {
    for (Kept& kept : kept_) {
      if (!HasFailure()) ExpectHolds(kept);
    }
    if (HasFailure()) ADD_FAILURE() << "after:" << log_;
  }

  static std::string Name(const Kept& kept) { return kept.path.substr(kept.path.rfind('/') + 1); }
  static constexpr size_t kMostKept = 12;

  Random random_{GetParam()};
  test::TempDir directory_;
  AddressRange memory_;
  std::optional<test::Child> child_;
  std::shared_ptr<TaskPool> workers_;
  std::vector<Kept> kept_;
  std::shared_ptr<Oracle> instant_;        // of the save that is under way
  std::shared_ptr<const Oracle> watched_;  // of the last one of the session
  std::unique_ptr<WatchSession> session_;
  int others_ = 0;
  std::string log_;
};

// A chain's files in a place of their own, where bytes of them are altered.
class DamagedCopy {
 public:
  explicit DamagedCopy(const ImageReader& image) {
    for (const ChainFile& file : image.chain()) {
      for (const std::string& path : {file.path, file.path + std::string(kFreedSuffix)}) {
        if (!std::filesystem::exists(path)) continue;
        files_.push_back(directory_ / std::filesystem::path(path).filename().string());
        std::filesystem::copy(path, files_.back());
      }
    }
  }

  const std::vector<std::string>& files() const { return files_; }

  // What is wrong with the image; nothing where all is well.
  std::optional<ErrorCode> Damage() const {
    const auto image = ImageReader::Open(files_.front());
    if (!image) return image.error().code;
    const auto verified = (*image)->Verify();
    return verified ? std::nullopt : std::optional(verified.error().code);
  }
  // The same with some bits of one byte flipped.
  std::optional<ErrorCode> WithAltered(const std::string& file, uint64_t at, char bits) const {
    const UniqueFd open_file(open(file.c_str(), O_RDWR | O_CLOEXEC));
    char byte = 0;
    EXPECT_EQ(pread(open_file.get(), &byte, 1, static_cast<off_t>(at)), 1);
    const char altered = static_cast<char>(byte ^ bits);
    EXPECT_EQ(pwrite(open_file.get(), &altered, 1, static_cast<off_t>(at)), 1);
    const auto found = Damage();
    EXPECT_EQ(pwrite(open_file.get(), &byte, 1, static_cast<off_t>(at)), 1);
    return found;
  }

 private:
  test::TempDir directory_;
  std::vector<std::string> files_;
};

TEST_P(ImageChainPropertyTest, EveryImageIsAsItsInstantWasAndDamageAnywhereIsFound) {
  for (int step = 0; step < 30 && !HasFailure(); ++step) {
    Step();
    ExpectAllHold();
  }
  // So that there are lists of what was freed, too.
  for (int i = 0; i < 2 && !HasFailure(); ++i) {
    ChangeTarget();
    SaveOnce(NextOfSeries(), Newest());
    ExpectAllHold();
  }
  if (!HasFailure()) Dedup();
  ExpectAllHold();
  if (HasFailure()) return;

  const DamagedCopy copy(*Open(Newest()->path));
  ASSERT_GE(copy.files().size(), 3u);
  ASSERT_EQ(copy.Damage(), std::nullopt);
  for (int i = 0; i < 60; ++i) {
    const std::string& file = copy.files()[Below(copy.files().size())];
    const uint64_t size = std::filesystem::file_size(file);
    // The header, the trailer, what stands before it, anywhere.
    const uint64_t part = std::array<uint64_t, 4>{64, 64, kPage, size}[Below(4)];
    const uint64_t place = Below(std::min(part, size));
    const uint64_t at = part == 64 && Below(2) == 0 ? place : size - 1 - place;
    const char bits = static_cast<char>(Below(2) == 0 ? 1 << Below(8) : 1 + Below(255));
    EXPECT_EQ(copy.WithAltered(file, at, bits), ErrorCode::kDamaged)
        << file << ", byte " << at << " of " << size << ", bits " << int{bits}
        << ", after:" << log_;
  }
  EXPECT_EQ(copy.Damage(), std::nullopt);
}

#ifdef __SANITIZE_ADDRESS__
constexpr uint64_t kSeeds = 1;  // each takes ten times as long
#else
constexpr uint64_t kSeeds = 6;
#endif
INSTANTIATE_TEST_SUITE_P(Seeds, ImageChainPropertyTest, testing::Range<uint64_t>(1, 1 + kSeeds));

}  // namespace
}  // namespace stillframe
