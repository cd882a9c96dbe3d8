// Images whose blocks are encoded: the same bytes come back, in the same file whatever the threads.
#include <gtest/gtest.h>

#include <deque>
#include <mutex>
#include <numeric>
#include <thread>

#include "image/checksum.h"
#include "image/image_writer.h"
#include "image/page_hash.h"
#include "image_model.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;

// Does the last that was pushed first, on one thread, as soon as `kGathered` wait.
class BackwardsPool final : public TaskPool {
 public:
  BackwardsPool() : thread_([this] { Run(); }) {}
  ~BackwardsPool() override {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    thread_.join();
  }
  void Push(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  size_t threads() const override { return 3; }

 private:
  void Run() {
    for (;;) {
      std::this_thread::yield();
      std::deque<std::function<void()>> tasks;
      {
        const std::lock_guard lock(mutex_);
        if (ended_ && tasks_.empty()) return;
        tasks.swap(tasks_);
      }
      while (!tasks.empty()) {
        tasks.back()();
        tasks.pop_back();
      }
    }
  }

  std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;
  bool ended_ = false;
  std::thread thread_;
};

struct Case {
  Compression compression;
  bool workers;
};

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  const Compression& compression = info.param.compression;
  std::string name = compression.codec == Codec::kLz4 ? "Lz4" : "Zstd";
  return name + (info.param.workers ? "OnOthers" : "");
}

class ImageEncode : public testing::TestWithParam<Case> {
 protected:
  ImageOptions Options() const {
    ImageOptions options{.compression = GetParam().compression};
    if (GetParam().workers) options.workers = std::make_shared<BackwardsPool>();
    return options;
  }
  ByteVector Make(const ImageOptions& options, const std::function<void(PageSink&)>& fill,
                  const ImageMetadata& metadata) const {
    ImageIdentity identity;
    ByteVector image;
    auto sink =
        ImageWriter::Create(std::make_unique<MemoryStore>(&image), identity, {.image = options});
    EXPECT_TRUE(sink);
    fill(**sink);
    const auto finished = (*sink)->Finish(metadata);
    EXPECT_TRUE(finished) << finished.error().message;
    counters_ = (*sink)->counters();
    return image;
  }

  mutable SinkCounters counters_;
  test::TempDir directory_;
};

TEST_P(ImageEncode, AllComesBack) {
  MemoryModel model(1);
  for (int i = 0; i < 30; ++i) model.Change();
  model.Save(directory_ / "image", Options());
  ExpectHolds(directory_ / "image", model.pages());
}

TEST_P(ImageEncode, TheFileIsTheSameWhoeverEncodesIt) {
  MemoryModel model(2);
  for (int i = 0; i < 30; ++i) model.Change();
  const ImageMetadata metadata = model.Metadata();
  ImageOptions alone = Options();
  alone.workers = nullptr;
  MemoryModel twin = model;
  const ByteVector first = Make(
      Options(), [&](PageSink& sink) { model.Tell(sink); }, metadata);
  const ByteVector second = Make(
      alone, [&](PageSink& sink) { twin.Tell(sink); }, metadata);
  EXPECT_EQ(first, second);
}

TEST_P(ImageEncode, WhatGetsSmallerIsCountedAndTheRestIsRaw) {
  MemoryModel model(3);
  model.Unmap(0, 0x1000000 / kPage);
  for (uint64_t i = 0; i < 32; ++i) model.Set(0x100000 + i * kPage, i < 16 ? 2 : 2 * i + 1);
  const ByteVector image = Make(
      Options(),
      [&](PageSink& sink) {
        for (uint64_t at = 0x100000; at < 0x100000 + 32 * kPage; at += 16 * kPage) {
          ByteVector bytes;
          for (uint64_t i = 0; i < 16; ++i) {
            const ByteVector page = ModelPage(model.pages().at(at + i * kPage));
            bytes.insert(bytes.end(), page.begin(), page.end());
          }
          ASSERT_TRUE(sink.Write({at}, bytes, PageSource::kFaulted));
        }
      },
      model.Metadata());
  EXPECT_EQ(counters_.faulted.count, 32u);
  EXPECT_EQ(counters_.encoded_from.count, 32 * kPage);
  EXPECT_GT(counters_.encoded_to.count, 16 * kPage);
  EXPECT_LT(counters_.encoded_to.count, 20 * kPage);
  const WireSection index = SectionOf(image, SectionType::kIndex);
  ASSERT_EQ(index.length, 4 * sizeof(WireIndexEntry));
  const auto small = Load<WireIndexEntry>(image, index.offset + sizeof(WireIndexEntry));
  const auto raw = Load<WireIndexEntry>(image, index.offset + 2 * sizeof(WireIndexEntry));
  EXPECT_NE(small.encoding, 0);
  EXPECT_EQ(small.block_pages, 8);
  EXPECT_EQ(raw.encoding, 0);
  EXPECT_EQ(raw.stored_bytes, 8 * kPage);
  EXPECT_EQ(raw.file_offset, small.file_offset + small.stored_bytes);
}

TEST_P(ImageEncode, WhatIsToldAgainHolds) {
  MemoryModel model(4);
  const std::string path = directory_ / "image";
  auto sink = CreateImage({.path = path}, Options());
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->AllowRepeats());
  for (int i = 0; i < 40; ++i) {
    model.Change();
    model.Tell(**sink);
    // In between what needs no encoding, of pages that are still being encoded.
    auto page = model.pages().begin();
    std::advance(page, static_cast<ptrdiff_t>(model.Below(model.pages().size())));
    const TargetAddress address{page->first};
    model.Set(page->first, 0);
    ASSERT_TRUE((*sink)->Zero({address, address + kPageSize}));
  }
  const auto finished = (*sink)->Finish(model.Metadata());
  ASSERT_TRUE(finished) << finished.error().message;
  ExpectHolds(path, model.pages());
}

TEST_P(ImageEncode, AnErrorOfTheOutputEndsIt) {
  class Full final : public Store {
   public:
    Result<void> Append(std::span<const iovec>) override {
      if (++appends_ > 1) return Fail(ErrorCode::kOutput, "no space");
      return {};
    }
    Result<void> Publish() override { return {}; }
    void Interrupt() override {}

   private:
    int appends_ = 0;
  };
  auto sink = ImageWriter::Create(std::make_unique<Full>(), {}, {.image = Options()});
  ASSERT_TRUE(sink);
  const ByteVector noise = [] {
    ByteVector bytes;
    for (uint64_t i = 0; i < 64; ++i) {
      const ByteVector page = ModelPage(2 * i + 1);
      bytes.insert(bytes.end(), page.begin(), page.end());
    }
    return bytes;
  }();
  Result<void> written;
  for (uint64_t i = 0; i < 100 && written; ++i) {
    written = (*sink)->Write({0x100000 + i * noise.size()}, noise, PageSource::kScanned);
  }
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message, "no space");
  EXPECT_FALSE((*sink)->Zero({{0x1000}, {0x2000}}));
  EXPECT_FALSE((*sink)->Finish({}));
}

INSTANTIATE_TEST_SUITE_P(Codecs, ImageEncode,
                         testing::Values(Case{{.codec = Codec::kLz4, .level = 1}, false},
                                         Case{{.codec = Codec::kLz4, .level = 8}, true},
                                         Case{{.codec = Codec::kZstd, .level = 1}, false},
                                         Case{{.codec = Codec::kZstd, .level = 1}, true}),
                         NameOf);

TEST(ImageHashes, ThePageChecksumIsTheLowerHalfOfItsHash) {
  // Taken for granted where a block is one page.
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const ByteVector page = ModelPage(seed);
    EXPECT_EQ(HashPage(page).low, Checksum(page));
  }
}

}  // namespace
}  // namespace stillframe
