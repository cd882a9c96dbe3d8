// An image, its parent, and so on: what is found where, and what is refused.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "base/unique_fd.h"
#include "hand_image.h"
#include "image_samples.h"
#include "stillframe/image_reader.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr uint64_t kBase = 0x10000;

void WriteBytes(const std::string& path, const ByteVector& bytes) {
  test::WriteFile(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

ByteVector ReadBytes(const std::string& path) {
  const std::string text = test::ReadFile(path);
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

ByteVector PageAt(const ImageReader& reader, uint64_t address) {
  ByteVector page(kPage);
  const auto read = reader.ReadPage({address}, page);
  EXPECT_TRUE(read) << read.error().message;
  return page;
}

// The error that opening ends with.
Error OpenError(const std::string& path) {
  const auto reader = ImageReader::Open(path);
  EXPECT_FALSE(reader) << path;
  return reader ? Error{} : reader.error();
}

void ExpectError(const Error& error, ErrorCode code, const std::vector<std::string>& parts) {
  EXPECT_EQ(error.code, code) << error.message;
  for (const std::string& part : parts) {
    EXPECT_NE(error.message.find(part), std::string::npos) << error.message << "\nnot: " << part;
  }
}

// "a" is whole, "b" a difference to it, and "c" one to that. Of six pages the first stands in a,
// the second in b, the third in c, the fourth in all; the fifth is zero in c, the sixth lost.
class ImageChain3 : public testing::Test {
 protected:
  ImageChain3() {
    a_.AddData(kBase, PatternPages(1, 6), WireEncoding::kLz4);
    a_.KeepHashes();
    WriteBytes(directory_ / "a", a_.Build());
    b_.Add(WireKind::kInParent, kBase, 1);
    b_.AddData(kBase + kPage, PatternPages(2, 1));
    b_.Add(WireKind::kInParent, kBase + 2 * kPage, 1);
    b_.AddData(kBase + 3 * kPage, PatternPages(3, 3), WireEncoding::kZstd);
    b_.SetParent(a_.name(), "a");
    WriteBytes(directory_ / "b", b_.Build());
    c_.Add(WireKind::kInParent, kBase, 2);
    c_.AddData(kBase + 2 * kPage, PatternPages(4, 2));
    c_.Add(WireKind::kZero, kBase + 4 * kPage, 1);
    c_.Add(WireKind::kLost, kBase + 5 * kPage, 1);
    c_.SetParent(b_.name(), "b");
    c_.KeepHashes();
    WriteBytes(directory_ / "c", c_.Build());
  }

  const test::TempDir directory_;
  HandImage a_{1};
  HandImage b_{2};
  HandImage c_{3};
};

TEST_F(ImageChain3, EachPageIsReadFromWhereItStands) {
  const auto opened = ImageReader::Open(directory_ / "c");
  ASSERT_TRUE(opened) << opened.error().message;
  const ImageReader& reader = **opened;
  EXPECT_EQ(PageAt(reader, kBase), PatternPages(1, 1));
  EXPECT_EQ(PageAt(reader, kBase + kPage), PatternPages(2, 1));
  ByteVector four(4 * kPage);
  ASSERT_TRUE(reader.Read({kBase + kPage}, four));
  ByteVector expected = PatternPages(2, 1);
  const ByteVector rest = PatternPages(4, 2);
  expected.insert(expected.end(), rest.begin(), rest.end());
  expected.resize(4 * kPage);
  EXPECT_EQ(four, expected);
  EXPECT_TRUE(reader.Verify());
}

TEST_F(ImageChain3, RunsAndCountsSayWhichFileHoldsThem) {
  const auto opened = ImageReader::Open(directory_ / "c");
  ASSERT_TRUE(opened);
  const auto runs = (*opened)->Runs({{0}, {UINT64_MAX}});
  ASSERT_EQ(runs.size(), 5u);
  EXPECT_EQ(runs[0].depth, 2u);
  EXPECT_EQ(runs[1].depth, 1u);
  EXPECT_EQ(runs[2].depth, 0u);
  EXPECT_EQ(runs[2].range.pages().count, 2u);
  EXPECT_EQ(runs[3].kind, PageKind::kZero);
  EXPECT_EQ(runs[4].kind, PageKind::kLost);
  const SinkCounters counters = (*opened)->counters();
  EXPECT_EQ(counters.scanned.count, 4u);
  EXPECT_EQ(counters.zero.count, 1u);
  EXPECT_EQ(counters.lost.count, 1u);
  EXPECT_EQ(counters.written, (*opened)->file_size());
}

TEST_F(ImageChain3, TheChainIsListed) {
  const auto opened = ImageReader::Open(directory_ / "c");
  ASSERT_TRUE(opened);
  const auto chain = (*opened)->chain();
  ASSERT_EQ(chain.size(), 3u);
  EXPECT_EQ(chain[0].id[0], 3);
  EXPECT_EQ(chain[0].pages.count, 2u);
  EXPECT_EQ(chain[0].in_parent.count, 2u);
  EXPECT_EQ(chain[0].stored.count, 2 * kPage);
  EXPECT_EQ(chain[1].path, directory_ / "b");
  EXPECT_EQ(chain[1].index_checksum, b_.name().index_checksum);
  EXPECT_FALSE(chain[1].has_hashes);
  EXPECT_EQ(chain[2].pages.count, 6u);
  EXPECT_LT(chain[2].stored.count, 6 * kPage);
  EXPECT_TRUE(chain[2].has_hashes);
}

TEST_F(ImageChain3, HashesComeFromTheFileThatHoldsThePage) {
  const auto opened = ImageReader::Open(directory_ / "c");
  const auto parent = ImageReader::Open(directory_ / "a");
  ASSERT_TRUE(opened && parent);
  EXPECT_NE((*opened)->HashOf({kBase}), std::nullopt);
  EXPECT_EQ((*opened)->HashOf({kBase}), (*parent)->HashOf({kBase}));
  EXPECT_EQ((*opened)->HashOf({kBase + kPage}), std::nullopt);  // b keeps none
  EXPECT_NE((*opened)->HashOf({kBase + 2 * kPage}), (*parent)->HashOf({kBase + 2 * kPage}));
}

TEST_F(ImageChain3, AParentIsFoundAsNamedAndBesideTheImage) {
  const std::string real = directory_ / "images";
  ASSERT_EQ(mkdir(real.c_str(), 0700), 0);
  // By an absolute path, a relative one, and by its name alone once it was moved.
  for (const std::string& path :
       {directory_ / "a", std::string("../a"), std::string("gone/a"), std::string("/gone/a")}) {
    HandImage image(9);
    image.Add(WireKind::kInParent, kBase, 6);
    image.SetParent(a_.name(), path);
    WriteBytes(real + "/image", image.Build());
    if (path.find("gone") != std::string::npos) WriteBytes(real + "/a", a_.Build());
    const auto reader = ImageReader::Open(real + "/image");
    ASSERT_TRUE(reader) << path << ": " << reader.error().message;
    EXPECT_EQ(PageAt(**reader, kBase), PatternPages(1, 1));
  }
  // Through a link from elsewhere.
  ASSERT_EQ(symlink((real + "/image").c_str(), (directory_ / "link").c_str()), 0);
  ASSERT_EQ(unlink((directory_ / "a").c_str()), 0);
  EXPECT_TRUE(ImageReader::Open(directory_ / "link"));
}

TEST_F(ImageChain3, AnotherImageAtThePlaceOfTheParentIsPassedOver) {
  const std::string sub = directory_ / "sub";
  ASSERT_EQ(mkdir(sub.c_str(), 0700), 0);
  HandImage image(9);
  image.Add(WireKind::kInParent, kBase, 6);
  image.SetParent(a_.name(), "sub/a");
  WriteBytes(directory_ / "image", image.Build());
  WriteBytes(sub + "/a", b_.Build());
  EXPECT_TRUE(ImageReader::Open(directory_ / "image"));
}

TEST_F(ImageChain3, AMissingParentIsNamedWithTheImage) {
  ASSERT_EQ(unlink((directory_ / "a").c_str()), 0);
  ExpectError(OpenError(directory_ / "c"), ErrorCode::kUsage,
              {directory_ / "b", "its parent a", directory_ / "a", "No such file"});
}

TEST_F(ImageChain3, AnotherImageIsNoParent) {
  HandImage same_id(1);
  same_id.AddData(kBase, PatternPages(7, 6));
  WriteBytes(directory_ / "a", same_id.Build());
  ExpectError(OpenError(directory_ / "c"), ErrorCode::kDamaged,
              {directory_ / "b", directory_ / "a", "another image"});
  HandImage same_index(7);
  same_index.AddData(kBase, PatternPages(1, 6), WireEncoding::kLz4);
  WriteBytes(directory_ / "a", same_index.Build());
  ASSERT_EQ(same_index.name().index_checksum, a_.name().index_checksum);
  ExpectError(OpenError(directory_ / "c"), ErrorCode::kDamaged, {"another image"});
}

TEST_F(ImageChain3, ADamagedParentIsNamedWithTheImage) {
  ByteVector bytes = ReadBytes(directory_ / "a");
  bytes[bytes.size() - 1] ^= std::byte{1};
  WriteBytes(directory_ / "a", bytes);
  ExpectError(OpenError(directory_ / "c"), ErrorCode::kDamaged,
              {directory_ / "b", directory_ / "a", "completeness mark"});
}

TEST_F(ImageChain3, AnImageThatStandsForTheParentIsTaken) {
  HandImage merged(7);
  merged.AddData(kBase, PatternPages(1, 6));
  merged.AddStandsFor(c_.name());
  merged.AddStandsFor(a_.name());
  WriteBytes(directory_ / "a", merged.Build());
  const auto reader = ImageReader::Open(directory_ / "c");
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(PageAt(**reader, kBase), PatternPages(1, 1));
  EXPECT_EQ((*reader)->chain()[2].id[0], 7);
}

TEST_F(ImageChain3, PagesThatTheParentDoesNotHoldAsDataAreDamage) {
  for (const WireKind kind : {WireKind::kZero, WireKind::kLost}) {
    HandImage parent(8);
    parent.AddData(kBase, PatternPages(1, 2));
    parent.Add(kind, kBase + 2 * kPage, 2);
    WriteBytes(directory_ / "p", parent.Build());
    HandImage image(9);
    image.Add(WireKind::kInParent, kBase, 3);
    image.SetParent(parent.name(), "p");
    WriteBytes(directory_ / "image", image.Build());
    const Error error = OpenError(directory_ / "image");
    ExpectError(error, ErrorCode::kDamaged,
                {directory_ / "image", directory_ / "p", "0x12000", "does not hold"});
    EXPECT_EQ(error.address->value, kBase + 2 * kPage);
  }
  // Beyond the end of it, and in a gap.
  HandImage parent(8);
  parent.AddData(kBase, PatternPages(1, 2));
  parent.AddData(kBase + 3 * kPage, PatternPages(2, 1));
  WriteBytes(directory_ / "p", parent.Build());
  for (const uint64_t from : {uint64_t{1}, uint64_t{2}, uint64_t{3}, uint64_t{5}}) {
    HandImage image(9);
    image.Add(WireKind::kInParent, kBase + from * kPage, 2);
    image.SetParent(parent.name(), "p");
    WriteBytes(directory_ / "image", image.Build());
    ExpectError(OpenError(directory_ / "image"), ErrorCode::kDamaged, {"does not hold"});
  }
}

TEST_F(ImageChain3, AnImageBelowItselfIsRefused) {
  // Its index is the same whatever parent it names, so it can name itself.
  HandImage image(9);
  image.AddData(kBase, PatternPages(1, 1));
  image.Build();
  image.SetParent(image.name(), "image");
  WriteBytes(directory_ / "image", image.Build());
  ExpectError(OpenError(directory_ / "image"), ErrorCode::kDamaged,
              {directory_ / "image", "parent of its own parent"});
}

TEST_F(ImageChain3, AsManyImagesAsAChainMayHaveAndNoMore) {
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  const rlimit more{.rlim_cur = std::min<rlim_t>(4096, files.rlim_max), .rlim_max = files.rlim_max};
  if (more.rlim_cur < 1200) GTEST_SKIP() << "too few files may be open";
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &more), 0);
  WireImageName parent = a_.name();
  std::string parent_path = "a";
  for (int i = 2; i <= 1025; ++i) {
    HandImage image(9);
    image.Add(WireKind::kInParent, kBase, 6);
    image.SetParent(parent, parent_path);
    parent_path = "n" + std::to_string(i);
    WriteBytes(directory_ / parent_path, image.Build());
    parent = image.name();
  }
  const auto longest = ImageReader::Open(directory_ / "n1024");
  ASSERT_TRUE(longest) << longest.error().message;
  EXPECT_EQ((*longest)->chain().size(), 1024u);
  EXPECT_EQ(PageAt(**longest, kBase), PatternPages(1, 1));
  ExpectError(OpenError(directory_ / "n1025"), ErrorCode::kDamaged,
              {directory_ / "n1025", "more than 1024 images"});
  setrlimit(RLIMIT_NOFILE, &files);
}

TEST_F(ImageChain3, EachFileIsLockedWhileItIsRead) {
  for (const std::string name : {"a", "b", "c"}) {
    const UniqueFd other(open((directory_ / name).c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(flock(other.get(), LOCK_EX | LOCK_NB), 0);
    ExpectError(OpenError(directory_ / "c"), ErrorCode::kUsage, {directory_ / name, "just now"});
    ASSERT_EQ(flock(other.get(), LOCK_UN), 0);
    const auto reader = ImageReader::Open(directory_ / "c");
    ASSERT_TRUE(reader);
    EXPECT_NE(flock(other.get(), LOCK_EX | LOCK_NB), 0);
    EXPECT_EQ(flock(other.get(), LOCK_SH | LOCK_NB), 0);
  }
}

TEST_F(ImageChain3, DamageAnywhereInAnyFileIsFound) {
  for (const std::string name : {"a", "b", "c"}) {
    const ByteVector image = ReadBytes(directory_ / name);
    for (size_t byte = 0; byte < image.size(); byte += 41) {
      ByteVector bad = image;
      bad[byte] ^= std::byte{4};
      WriteBytes(directory_ / name, bad);
      const auto reader = ImageReader::Open(directory_ / "c");
      const auto verified = reader ? (*reader)->Verify() : Result<void>{};
      ASSERT_FALSE(reader && verified) << name << " byte " << byte;
      ASSERT_EQ((reader ? verified.error() : reader.error()).code, ErrorCode::kDamaged);
    }
    WriteBytes(directory_ / name, image);
  }
}

TEST_F(ImageChain3, AFileThatBecomesAnotherWhileItIsOpenIsFound) {
  const auto reader = ImageReader::Open(directory_ / "c");
  ASSERT_TRUE(reader);
  HandImage other(1);
  other.AddData(kBase, PatternPages(9, 6), WireEncoding::kLz4);
  const UniqueFd file(open((directory_ / "a").c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  const ByteVector bytes = other.Build();
  ASSERT_EQ(write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  EXPECT_FALSE((*reader)->Verify());
}

// Chains made at random, and what each page of the newest image is.
class RandomChain {
 public:
  struct Page {
    PageKind kind = PageKind::kData;
    uint64_t seed = 0;
    uint64_t number = 0;  // of PatternPages(seed)
  };

  RandomChain(uint64_t seed, const test::TempDir& directory) : random_(seed) {
    const uint64_t images = 1 + Below(6);
    for (uint64_t i = 0; i < images; ++i) AddImage(directory);
  }

  const std::string& path() const { return path_; }
  const std::map<uint64_t, Page>& pages() const { return pages_; }
  uint64_t Below(uint64_t limit) {
    return std::uniform_int_distribution<uint64_t>(0, limit - 1)(random_);
  }
  template <class List>
  void Shuffle(List& list) {
    std::ranges::shuffle(list, random_);
  }
  ByteVector Bytes(const Page& page) const {
    if (page.kind != PageKind::kData) return ByteVector(kPage);
    const ByteVector block = PatternPages(page.seed, page.number + 1);
    return {block.end() - static_cast<ptrdiff_t>(kPage), block.end()};
  }

 private:
  void AddImage(const test::TempDir& directory) {
    HandImage image(static_cast<uint8_t>(1 + count_));
    std::map<uint64_t, Page> pages;
    uint64_t address = kBase + Below(20) * kPage;
    for (uint64_t n = 5 + Below(40); n > 0; --n) {
      address += Below(4) == 0 ? Below(10) * kPage : 0;
      address = AddRun(image, address, pages);
    }
    if (Below(2) == 0) image.KeepHashes();
    if (count_ > 0) image.SetParent(parent_, "image" + std::to_string(count_ - 1));
    path_ = directory / ("image" + std::to_string(count_++));
    WriteBytes(path_, image.Build());
    parent_ = image.name();
    pages_ = std::move(pages);
  }

  uint64_t AddRun(HandImage& image, uint64_t address, std::map<uint64_t, Page>& pages) {
    const uint64_t count = 1 + Below(12);
    const uint64_t way = Below(10);
    if (way < 2) {
      const PageKind kind = way == 0 ? PageKind::kZero : PageKind::kLost;
      image.Add(way == 0 ? WireKind::kZero : WireKind::kLost, address, count);
      for (uint64_t i = 0; i < count; ++i) pages[address + i * kPage] = {.kind = kind};
      return address + count * kPage;
    }
    if (way < 6) {
      // As far as the parent has data here.
      uint64_t same = 0;
      for (; same < 3 * count; ++same) {
        const auto found = pages_.find(address + same * kPage);
        if (found == pages_.end() || found->second.kind != PageKind::kData) break;
        pages[found->first] = found->second;
      }
      if (same > 0) image.Add(WireKind::kInParent, address, same);
      return address + same * kPage;
    }
    // Some pages of a block, in one place or in two.
    const uint64_t skipped = Below(3);
    const uint64_t in_block = skipped + count + Below(3);
    const uint64_t seed = ++last_seed_;
    const size_t block =
        image.AddBlock(PatternPages(seed, in_block), static_cast<WireEncoding>(Below(3)));
    const uint64_t first_part = 1 + Below(count);
    image.Place(address, block, skipped, first_part);
    if (first_part < count) {
      image.Place(address + first_part * kPage, block, skipped + first_part, count - first_part,
                  PageSource::kFaulted);
    }
    for (uint64_t i = 0; i < count; ++i) {
      pages[address + i * kPage] = {.kind = PageKind::kData, .seed = seed, .number = skipped + i};
    }
    return address + count * kPage;
  }

  std::mt19937_64 random_;
  uint64_t count_ = 0;
  uint64_t last_seed_ = 0;
  WireImageName parent_ = {};
  std::string path_;
  std::map<uint64_t, Page> pages_;
};

TEST(ImageChain, AnyChainReadsBackAsTheModelSays) {
  for (uint64_t seed = 0; seed < 80 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    const test::TempDir directory;
    RandomChain random(seed, directory);
    const auto opened = ImageReader::Open(random.path());
    ASSERT_TRUE(opened) << opened.error().message;
    const ImageReader& reader = **opened;
    ASSERT_TRUE(reader.Verify()) << reader.Verify().error().message;
    auto page = random.pages().begin();
    for (const ImageRun& run : reader.Runs({{0}, {UINT64_MAX}})) {
      for (uint64_t at = run.range.begin.value; at < run.range.end.value; at += kPage, ++page) {
        ASSERT_EQ(page->first, at);
        ASSERT_EQ(page->second.kind, run.kind);
        ByteVector read(kPage);
        const auto result = reader.ReadPage({at}, read);
        ASSERT_EQ(result.has_value(), run.kind != PageKind::kLost);
        if (!result) continue;
        ASSERT_EQ(read, random.Bytes(page->second)) << std::hex << at;
      }
    }
    ASSERT_EQ(page, random.pages().end());
  }
}

TEST(ImageChain, AQueueReadsBackWhatTheModelSays) {
  for (uint64_t seed = 100; seed < 160 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    const test::TempDir directory;
    RandomChain random(seed, directory);
    const auto opened = ImageReader::Open(random.path());
    ASSERT_TRUE(opened) << opened.error().message;
    const auto queue = (*opened)->Queue();
    for (int round = 0; round < 4; ++round) {
      struct Wanted {
        uint64_t address = 0;
        const RandomChain::Page* page = nullptr;
        ByteVector bytes = ByteVector(kPage, std::byte{7});
      };
      std::vector<Wanted> wanted;
      const uint64_t one_in = 1 + random.Below(8);
      for (const auto& [address, page] : random.pages()) {
        if (random.Below(one_in) == 0) wanted.push_back({.address = address, .page = &page});
      }
      if (round > 0) random.Shuffle(wanted);
      for (Wanted& one : wanted) {
        const auto queued = queue->QueueRead({one.address}, one.bytes);
        ASSERT_EQ(queued.has_value(), one.page->kind != PageKind::kLost);
      }
      const auto done = queue->Sync();
      ASSERT_TRUE(done) << done.error().message;
      for (const Wanted& one : wanted) {
        if (one.page->kind == PageKind::kLost) continue;
        ASSERT_EQ(one.bytes, random.Bytes(*one.page)) << std::hex << one.address;
      }
    }
  }
}

}  // namespace
}  // namespace stillframe
