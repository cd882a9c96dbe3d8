// Dedup frees what no end of a chain needs, and nothing else, whenever it is killed.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/fail_point.h"
#include "image/image_copy.h"
#include "image_model.h"
#include "stillframe/dedup.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;

class ImageDedup : public testing::TestWithParam<Codec> {
 protected:
  std::string Path(int number) const { return directory_ / ("image-" + std::to_string(number)); }
  ImageOptions Options(int parent) const {
    ImageOptions options{.compression = {.codec = GetParam(), .level = 1}};
    if (parent < 0) return options;
    auto image = ImageReader::Open(Path(parent));
    EXPECT_TRUE(image) << image.error().message;
    options.parent = *std::move(image);
    return options;
  }
  void Save(int number, int parent) { model_.Save(Path(number), Options(parent)); }
  // With pages that get smaller, so that they are encoded if the codec is not "none".
  void Fill(uint64_t seed) {
    for (uint64_t i = 0; i < 100; ++i) model_.Set(0x800000 + i * kPage, seed + 2 * i);
  }
  DedupReport Dedup() {
    const auto report = DedupImages(directory_.path());
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(DedupReport{});
  }

  test::TempDir directory_;
  MemoryModel model_{6};
};

TEST_P(ImageDedup, WhatLaterImagesReplacedIsFreed) {
  Fill(1000);
  Save(0, -1);
  Fill(3000);
  Save(1, 0);
  model_.Set(0x800000, 5000);
  Save(2, 1);
  const auto before = std::filesystem::file_size(Path(0));
  const DedupReport report = Dedup();
  EXPECT_EQ(report.images, 3u);
  EXPECT_EQ(report.ends, 1u);
  ASSERT_EQ(report.deduped.size(), 1u + (GetParam() == Codec::kNone));
  EXPECT_EQ(report.deduped[0].path, Path(0));
  EXPECT_EQ(report.deduped[0].freed.count, 100u);
  // Encoded they take less.
  EXPECT_GT(report.deduped[0].given_back.count, (GetParam() == Codec::kNone ? 90 : 10) * kPage);
  EXPECT_EQ(std::filesystem::file_size(Path(0)), before);
  ExpectHolds(Path(2), model_.pages());
  // The one in the middle lacks a page now, and says so.
  const auto parent = ImageReader::Open(Path(0));
  ASSERT_TRUE(parent) << parent.error().message;
  EXPECT_TRUE((*parent)->Verify());
  ByteVector page(kPage);
  const auto read = (*parent)->ReadPage({0x800000}, page);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("freed"), std::string::npos) << read.error().message;
}

TEST_P(ImageDedup, EachEndKeepsWhatItNeeds) {
  Fill(1000);
  Save(0, -1);
  const MemoryModel base = model_;
  model_.Set(0x800000, 7);
  model_.Set(0x801000, 9);
  Save(1, 0);
  const ModelPages one = model_.pages();
  model_ = base;
  model_.Set(0x801000, 11);
  model_.Set(0x802000, 13);
  Save(2, 0);
  const DedupReport report = Dedup();
  EXPECT_EQ(report.ends, 2u);
  // Only the page that both of them replaced.
  const bool by_page = GetParam() == Codec::kNone;
  ASSERT_EQ(report.deduped.size(), by_page ? 1u : 0u);
  if (by_page) {
    EXPECT_EQ(report.deduped[0].freed.count, 1u);
  }
  ExpectHolds(Path(1), one);
  ExpectHolds(Path(2), model_.pages());
}

TEST_P(ImageDedup, ASecondTimeThereIsNothingToDo) {
  Fill(1000);
  Save(0, -1);
  Fill(3000);
  Save(1, 0);
  Dedup();
  const DedupReport again = Dedup();
  ASSERT_EQ(again.deduped.size(), 1u);
  EXPECT_EQ(again.deduped[0].freed.count, 0u);
  EXPECT_EQ(again.deduped[0].freed_before.count, 100u);
  Fill(5000);
  Save(2, 1);
  EXPECT_EQ(Dedup().deduped.size(), 2u);
  ExpectHolds(Path(2), model_.pages());
}

TEST_P(ImageDedup, CopiesOfALongChainTakeNoLonger) {
  Fill(1000);
  Save(0, -1);
  constexpr int kLast = 25;
  for (int i = 1; i <= kLast; ++i) {
    model_.Set(0x800000 + static_cast<uint64_t>(i) * kPage, 3000 + static_cast<uint64_t>(i));
    Save(i, i - 1);
  }
  for (int i = 0; i <= kLast; ++i) {
    std::filesystem::copy(Path(i), Path(i) + ".copy");
  }
  EXPECT_EQ(Dedup().images, 2u * (kLast + 1));
  ExpectHolds(Path(kLast), model_.pages());
  ExpectHolds(Path(kLast) + ".copy", model_.pages());
}

TEST_P(ImageDedup, WhatAKilledWriterLeftIsNoImage) {
  Fill(1000);
  Save(0, -1);
  Fill(3000);
  Save(1, 0);
  for (const char* name : {"image-2.partial", ".stillframe-x"}) {
    std::filesystem::copy(Path(0), directory_ / name);
    std::filesystem::resize_file(directory_ / name, 5000);
  }
  EXPECT_EQ(Dedup().images, 2u);
}

TEST_P(ImageDedup, ThroughALinkItIsTheSameImage) {
  Fill(1000);
  Save(0, -1);
  Fill(3000);
  model_.Set(0x800000, 1000);
  Save(1, 0);
  Dedup();
  const test::TempDir elsewhere;
  std::filesystem::create_symlink(Path(0), elsewhere / "link");
  const auto image = ImageReader::Open(elsewhere / "link");
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_TRUE((*image)->Verify());
  EXPECT_GT((*image)->chain()[0].freed.count, 0u);
}

TEST_P(ImageDedup, WithADryRunNothingIsTouched) {
  Fill(1000);
  Save(0, -1);
  const ModelPages first = model_.pages();
  Fill(3000);
  Save(1, 0);
  const auto report = DedupImages(directory_.path(), {.dry_run = true});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->deduped.size(), 1u);
  EXPECT_EQ(report->deduped[0].freed.count, 100u);
  ExpectHolds(Path(0), first);
}

TEST_P(ImageDedup, AnImageThatIsInUseIsLeftAlone) {
  Fill(1000);
  Save(0, -1);
  const ModelPages first = model_.pages();
  Fill(3000);
  Save(1, 0);
  const auto reader = ImageReader::Open(Path(0));
  ASSERT_TRUE(reader);
  const auto report = DedupImages(directory_.path());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUsage);
  ExpectHolds(Path(0), first);
}

TEST_P(ImageDedup, ADamagedImageStopsItBeforeAnythingIsFreed) {
  Fill(1000);
  Save(0, -1);
  const ModelPages first = model_.pages();
  Fill(3000);
  Save(1, 0);
  std::filesystem::resize_file(Path(1), std::filesystem::file_size(Path(1)) - 1);
  const auto report = DedupImages(directory_.path());
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kDamaged);
  ExpectHolds(Path(0), first);
}

TEST_P(ImageDedup, ABlockThatIsDamagedIsNotSealed) {
  Fill(1000);
  Save(0, -1);
  model_.Set(0x800000, 7);
  Save(1, 0);
  {
    std::fstream file(Path(0), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(kPage + kPage / 2));
    file.put('x');
  }
  const auto report = DedupImages(directory_.path());
  const auto image = ImageReader::Open(Path(1));
  // Whether it noticed or freed nothing of that block: the damage is still found.
  EXPECT_TRUE(!report || !image || !(*image)->Verify());
}

TEST_P(ImageDedup, KilledAtAnyStepItLosesNothing) {
  for (int step = 1; step < 100; ++step) {
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      std::filesystem::remove(entry);
    }
    model_ = MemoryModel(6);
    Fill(1000);
    Save(0, -1);
    for (uint64_t i = 0; i < 100; i += 3) model_.Set(0x800000 + i * kPage, 3001 + i);
    Save(1, 0);
    Fill(5000);
    model_.Set(0x800000 + 5 * kPage, 1011);
    Save(2, 1);
    int names = 0;
    bool killed = false;
    for (const char* name : {"dedup.listed", "dedup.punch", "dedup.punched", "dedup.completed"}) {
      const pid_t child = fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        setenv("STILLFRAME_FAIL_POINT", (name + (":" + std::to_string(step))).c_str(), 1);
        InitFailPoints();
        _exit(DedupImages(directory_.path()) ? 0 : 1);
      }
      int status = 0;
      ASSERT_EQ(waitpid(child, &status, 0), child);
      const bool was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
      EXPECT_TRUE(was_killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) << name;
      killed = killed || was_killed;
      ++names;
      ExpectHolds(Path(2), model_.pages());
    }
    Dedup();
    ExpectHolds(Path(2), model_.pages());
    const auto parent = ImageReader::Open(Path(0));
    ASSERT_TRUE(parent);
    EXPECT_TRUE((*parent)->Verify());
    if (!killed) return;
  }
  FAIL() << "it was never let run to its end";
}

INSTANTIATE_TEST_SUITE_P(Codecs, ImageDedup, testing::Values(Codec::kNone, Codec::kLz4),
                         [](const auto& info) {
                           return std::string(info.param == Codec::kNone ? "Raw" : "Lz4");
                         });

// Any order of everything that changes a chain: what an image of it can still be asked for is what
// was there.
class ImageChains : public testing::TestWithParam<uint64_t> {};

TEST_P(ImageChains, WhateverIsDoneToThemTheEndsHoldWhatTheyHeld) {
  const test::TempDir directory;
  MemoryModel model(GetParam());
  struct Saved {
    std::string path;
    ModelPages pages;
    bool is_parent = false;
    bool freed = false;  // maybe
  };
  std::vector<Saved> saved;
  const auto open = [](const std::string& path) {
    auto image = ImageReader::Open(path);
    EXPECT_TRUE(image) << image.error().message;
    return image ? std::shared_ptr<const ImageReader>(*std::move(image)) : nullptr;
  };
  const auto codec = [&model] {
    constexpr std::array kCodecs{Codec::kNone, Codec::kLz4, Codec::kZstd};
    return Compression{.codec = kCodecs[model.Below(kCodecs.size())], .level = 1};
  };
  for (int i = 0; i < 25; ++i) {
    model.Change();
    const std::string path = directory / ("image-" + std::to_string(i));
    ImageOptions options{.compression = codec()};
    const uint64_t way = saved.empty() ? 0 : model.Below(10);
    if (way == 9) {
      const auto report = DedupImages(directory.path());
      ASSERT_TRUE(report) << report.error().message;
      for (Saved& image : saved) image.freed = image.freed || image.is_parent;
    } else if (way == 8) {
      Saved& merged = saved[model.Below(saved.size())];
      if (merged.freed) continue;
      const auto image = open(merged.path);
      auto sink = CreateMerged(*image, {.path = merged.path, .force = true}, options);
      ASSERT_TRUE(sink) << sink.error().message;
      ASSERT_TRUE(CopyImageTo(*image, **sink, nullptr));
    } else {
      if (way > 0) {
        Saved& parent = saved[model.Below(3) == 0 ? model.Below(saved.size()) : saved.size() - 1];
        if (!parent.freed) {
          options.parent = open(parent.path);
          parent.is_parent = true;
        }
      }
      model.Save(path, options);
      saved.push_back({path, model.pages()});
    }
    for (const Saved& image : saved) {
      if (!image.freed) ExpectHolds(image.path, image.pages);
      if (testing::Test::HasFatalFailure()) FAIL() << "after step " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ImageChains, testing::Range<uint64_t>(1, 13));

}  // namespace
}  // namespace stillframe
