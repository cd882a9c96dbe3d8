// What goes into an image comes out of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "image_samples.h"
#include "stillframe/image_reader.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;

std::unique_ptr<ImageReader> OpenGood(const MemoryFile& file) {
  auto reader = ImageReader::Open(file.path());
  EXPECT_TRUE(reader) << reader.error().message;
  return reader ? std::move(*reader) : nullptr;
}

TEST(ImageRoundTrip, MetadataComesBackWhole) {
  ImageMetadata metadata = SmallMetadata();
  Mapping& mapping = metadata.mappings[0].mapping;
  mapping.executable = mapping.has_details = mapping.dont_dump = mapping.io = true;
  mapping.hugetlb = mapping.tracked = mapping.mergeable = true;
  mapping.device_major = 8;
  mapping.device_minor = 1;
  mapping.kernel_page_size = MiB(2);
  mapping.resident = KiB(8);
  mapping.anonymous = KiB(4);
  mapping.swapped = KiB(12);
  mapping.name = std::string("a\0b\n", 4);
  const ByteVector image = MakeImage(metadata, [](PageSink& sink) {
    ASSERT_TRUE(sink.Zero({{0x10000}, {0x13000}}));
    ASSERT_TRUE(sink.Zero({{0x20000}, {0x24000}}));
  });
  const MemoryFile file(image);
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader->metadata(), metadata);
  EXPECT_EQ(reader->format_version(), 1u);
  EXPECT_EQ(reader->id()[15], 15);
  EXPECT_EQ(reader->file_size().count, image.size());
}

TEST(ImageRoundTrip, AnImageOfNothingIsAnImage) {
  const MemoryFile file(EmptyImage());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  EXPECT_TRUE(reader->Verify());
  EXPECT_TRUE(reader->Runs({{0}, {UINT64_MAX}}).empty());
}

TEST(ImageRoundTrip, PagesOfEachKindComeBackWithTheirCounts) {
  const MemoryFile file(LargerImage());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  ASSERT_TRUE(reader->Verify());
  const SinkCounters counters = reader->counters();
  EXPECT_EQ(counters.scanned.count, 70u);
  EXPECT_EQ(counters.faulted.count, 1u);
  EXPECT_EQ(counters.paused.count, 2u);
  EXPECT_EQ(counters.lost.count, 3u);
  EXPECT_EQ(counters.zero.count, 30u);
  EXPECT_EQ(counters.written, reader->file_size());
  ByteVector scanned(70 * kPage);
  ASSERT_TRUE(reader->Read({0x7f0000000000}, scanned));
  EXPECT_EQ(scanned, PatternPages(0, 70));
}

TEST(ImageRoundTrip, RunsAreCutToTheRangeAndJoined) {
  const MemoryFile file(LargerImage());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  const uint64_t base = 0x7f0000000000;
  const auto runs = reader->Runs({{base + kPage}, {base + 95 * kPage}});
  ASSERT_EQ(runs.size(), 5u);
  // 70 pages are two blocks, but one run.
  EXPECT_EQ(runs[0].range, (AddressRange{{base + kPage}, {base + 70 * kPage}}));
  EXPECT_EQ(runs[1].kind, PageKind::kZero);
  EXPECT_EQ(runs[2].source, PageSource::kFaulted);
  EXPECT_EQ(runs[3].source, PageSource::kPaused);
  EXPECT_EQ(runs[4].range, (AddressRange{{base + 93 * kPage}, {base + 95 * kPage}}));
  EXPECT_EQ(runs[4].reason, "unmapped");
  EXPECT_TRUE(reader->Runs({{0}, {base}}).empty());
}

TEST(ImageRoundTrip, ReadingOutsideSaysWhere) {
  const MemoryFile file(SmallImage());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  ByteVector two(2 * kPage);
  for (const uint64_t address : {uint64_t{0}, uint64_t{0xf000}, uint64_t{0x12000}, UINT64_MAX}) {
    const auto result = reader->Read({address}, two);
    ASSERT_FALSE(result) << address;
    EXPECT_EQ(result.error().code, ErrorCode::kUsage);
  }
  EXPECT_EQ(reader->Read({0x12000}, two).error().address->value, 0x13000u);
}

TEST(ImageRoundTrip, ReadingALostPageSaysWhyItWasLost) {
  const MemoryFile file(SmallImage());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  std::byte byte;
  const auto result = reader->Read({0x23fff}, {&byte, 1});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  EXPECT_NE(result.error().message.find("unmapped"), std::string::npos);
}

TEST(ImageRoundTrip, ThreadsMayReadAtTheSameTime) {
  const MemoryFile file(LargerImage());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  const ByteVector expected = PatternPages(0, 70);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      ByteVector page(kPage);
      for (uint64_t i = 0; i < 280; ++i) {
        const uint64_t at = (i * 37 + static_cast<uint64_t>(t) * 11) % 70 * kPage;
        if (!reader->Read({0x7f0000000000 + at}, page) ||
            !std::equal(page.begin(), page.end(), expected.begin() + static_cast<ptrdiff_t>(at))) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// What an image should hold, page by page.
struct ModelPage {
  PageKind kind = PageKind::kZero;
  PageSource source = PageSource::kScanned;
  uint64_t seed = 0;
};
using Model = std::map<uint64_t, ModelPage>;

ByteVector ModelBytes(const ModelPage& page) {
  return page.kind == PageKind::kData ? PatternPages(page.seed, 1) : ByteVector(kPage);
}

// Tells the sink of [begin, end) of the model as one run of bytes, or as a declared range.
void Tell(PageSink& sink, const Model& model, Model::const_iterator begin,
          Model::const_iterator end, bool declared) {
  const AddressRange range{{begin->first}, {std::prev(end)->first + kPage}};
  if (begin->second.kind == PageKind::kLost) {
    ASSERT_TRUE(sink.Lost(range, begin->second.seed % 2 == 0 ? "unmapped" : "ksm"));
  } else if (declared) {
    ASSERT_TRUE(sink.Zero(range));
  } else {
    ByteVector bytes;
    for (auto page = begin; page != end; ++page) {
      const ByteVector one = ModelBytes(page->second);
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
    ASSERT_TRUE(sink.Write(range.begin, bytes, begin->second.source));
  }
  ASSERT_FALSE(model.empty());
}

class RandomImage {
 public:
  explicit RandomImage(uint64_t seed) : random_(seed) {
    uint64_t address = 0x100000;
    for (uint64_t n = 1 + Below(5); n > 0; --n) {
      const uint64_t pages = 1 + Below(150);
      metadata_.mappings.push_back(WholeMapping(address, pages, ""));
      FillMapping(address, pages);
      // Neighbours with and without a gap.
      address += (pages + Below(3)) * kPage;
    }
  }

  const Model& model() const { return model_; }

  ByteVector Write() {
    std::shuffle(runs_.begin(), runs_.end(), random_);
    return MakeImage(metadata_, [this](PageSink& sink) {
      for (const auto& [begin, end] : runs_) {
        const auto first = model_.find(begin);
        const bool all_zero = first->second.kind == PageKind::kZero && first->second.seed == 1;
        Tell(sink, model_, first, model_.lower_bound(end), all_zero);
      }
    });
  }

  uint64_t Below(uint64_t limit) {
    return std::uniform_int_distribution<uint64_t>(0, limit - 1)(random_);
  }

 private:
  void FillMapping(uint64_t begin, uint64_t pages) {
    const uint64_t end = begin + pages * kPage;
    while (begin < end) {
      const uint64_t run_end = std::min(end, begin + (1 + Below(90)) * kPage);
      FillRun(begin, run_end);
      runs_.emplace_back(begin, run_end);
      begin = run_end;
    }
  }
  void FillRun(uint64_t begin, uint64_t end) {
    const uint64_t way = Below(6);
    const auto source = static_cast<PageSource>(1 + Below(3));
    const uint64_t reason = Below(2);
    for (uint64_t at = begin; at < end; at += kPage) {
      ModelPage page{.kind = PageKind::kData, .source = source, .seed = at};
      if (way == 0) page = {.kind = PageKind::kLost, .source = source, .seed = reason};
      if (way == 1) page = {.kind = PageKind::kZero, .source = source, .seed = 1};
      // Zeros within a written run, the first page excepted: it carries the source.
      if (way > 1 && Below(3) == 0) page = {.kind = PageKind::kZero, .source = source, .seed = 0};
      model_[at] = page;
    }
  }

  std::mt19937_64 random_;
  ImageMetadata metadata_;
  Model model_;
  std::vector<std::pair<uint64_t, uint64_t>> runs_;
};

void ExpectSameRuns(const ImageReader& reader, const Model& model) {
  auto page = model.begin();
  for (const ImageRun& run : reader.Runs({{0}, {UINT64_MAX}})) {
    for (uint64_t at = run.range.begin.value; at < run.range.end.value; at += kPage, ++page) {
      ASSERT_NE(page, model.end());
      ASSERT_EQ(page->first, at);
      ASSERT_EQ(page->second.kind, run.kind);
      if (run.kind == PageKind::kData) {
        ASSERT_EQ(page->second.source, run.source);
      }
      if (run.kind == PageKind::kLost) {
        ASSERT_EQ(run.reason, page->second.seed % 2 == 0 ? "unmapped" : "ksm");
      }
    }
  }
  EXPECT_EQ(page, model.end());
}

// Reads [address, address + size) and compares; true when the model says that it can't be read.
void ExpectSameBytes(const ImageReader& reader, const Model& model, uint64_t address, size_t size) {
  ByteVector got(size);
  const auto result = reader.Read({address}, got);
  for (size_t i = 0; i < size;) {
    const uint64_t at = address + i;
    const auto page = model.find(at & ~(kPage - 1));
    if (page == model.end() || page->second.kind == PageKind::kLost) {
      ASSERT_FALSE(result);
      ASSERT_EQ(result.error().code,
                page == model.end() ? ErrorCode::kUsage : ErrorCode::kInternal);
      return;
    }
    const size_t skip = at % kPage;
    const size_t length = std::min(size - i, kPage - skip);
    const ByteVector bytes = ModelBytes(page->second);
    ASSERT_TRUE(std::equal(got.begin() + static_cast<ptrdiff_t>(i),
                           got.begin() + static_cast<ptrdiff_t>(i + length),
                           bytes.begin() + static_cast<ptrdiff_t>(skip)))
        << std::hex << at;
    i += length;
  }
  ASSERT_TRUE(result) << result.error().message;
}

TEST(ImageRoundTrip, AnyOrderOfAnyPagesReadsBackAsTheModelSays) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    RandomImage random(seed);
    const MemoryFile file(random.Write());
    const auto reader = OpenGood(file);
    ASSERT_NE(reader, nullptr);
    ASSERT_TRUE(reader->Verify());
    ExpectSameRuns(*reader, random.model());
    const uint64_t first = random.model().begin()->first;
    const uint64_t span = random.model().rbegin()->first + 2 * kPage - first;
    for (int i = 0; i < 100 && !testing::Test::HasFailure(); ++i) {
      const uint64_t limit = i % 2 == 0 ? 100 : 80 * kPage;
      ExpectSameBytes(*reader, random.model(), first - kPage + random.Below(span),
                      static_cast<size_t>(random.Below(limit)));
    }
  }
}

}  // namespace
}  // namespace stillframe
