// Images that are differences to others: what is written, what is refused, and how a parent is
// found again.
#include <gtest/gtest.h>

#include <filesystem>

#include "image/image_copy.h"
#include "image_model.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;

std::shared_ptr<const ImageReader> Open(const std::string& path) {
  auto image = ImageReader::Open(path);
  EXPECT_TRUE(image) << image.error().message;
  return image ? std::shared_ptr<const ImageReader>(*std::move(image)) : nullptr;
}

class ImageParent : public testing::Test {
 protected:
  void SetUp() override { model_.Save(first_, {}); }
  ImageOptions ChildOf(const std::string& path) const {
    return {.parent = Open(path), .compare = Compare::kHash};
  }
  Result<std::unique_ptr<PageSink>> Child(ImageOptions options) {
    return CreateImage({.path = second_, .force = true}, options);
  }

  test::TempDir directory_;
  const std::string first_ = directory_ / "first";
  const std::string second_ = directory_ / "second";
  MemoryModel model_{5};
};

TEST_F(ImageParent, WhatIsEqualIsNotWritten) {
  model_.Set(0x100000, 7);
  model_.Set(0x102000, 9);
  model_.Save(first_, {}, true);
  model_.Set(0x102000, 11);
  model_.Save(second_, ChildOf(first_));
  ExpectHolds(second_, model_.pages());
  const auto image = Open(second_);
  ASSERT_EQ(image->chain().size(), 2u);
  EXPECT_EQ(image->chain()[0].pages.count, 1u);
  EXPECT_EQ(image->chain()[0].in_parent.count, 1u);
  EXPECT_EQ(image->chain()[0].stored.count, kPage);
  EXPECT_EQ(image->chain()[1].path, first_);
}

TEST_F(ImageParent, APageThatWasRewrittenWithTheSameBytesCostsNothing) {
  for (uint64_t i = 0; i < 40; ++i) model_.Set(0x100000 + i * kPage, 2 * i + 1);
  model_.Save(first_, {}, true);
  for (const Compare compare : {Compare::kHash, Compare::kBytes}) {
    ImageOptions options = ChildOf(first_);
    options.compare = compare;
    auto sink = CreateImage({.path = second_, .force = true}, options);
    ASSERT_TRUE(sink);
    model_.Tell(**sink);
    ASSERT_TRUE((*sink)->Finish(model_.Metadata()));
    EXPECT_EQ((*sink)->counters().scanned.count, 0u);
    EXPECT_EQ((*sink)->counters().in_parent.count, 40u);
    ExpectHolds(second_, model_.pages());
  }
}

TEST_F(ImageParent, MappingsThatMovedGrewShrankOrWentAreAsTheyAreNow) {
  for (uint64_t i = 0; i < 40; ++i) model_.Set(0x100000 + i * kPage, 2 * i + 1);
  model_.Save(first_, {}, true);
  model_.Unmap(0x400000, 3);
  model_.Unmap(0x100000, 4);             // shrinks
  model_.Map(0x100000 + 40 * kPage, 4);  // grows
  model_.Map(0x300000, 4);               // moved here
  for (uint64_t i = 0; i < 4; ++i) model_.Set(0x300000 + i * kPage, 2 * i + 1);
  model_.Save(second_, ChildOf(first_));
  ExpectHolds(second_, model_.pages());
  EXPECT_EQ(Open(second_)->chain()[0].in_parent.count, 36u);
}

TEST_F(ImageParent, WhatTheSinkIsToldToBeInTheParentIsTakenFromThere) {
  model_.Set(0x100000, 7);
  model_.Set(0x101000, 9);
  model_.Save(first_, {}, true);
  model_.Set(0x101000, 11);
  auto sink = Child(ChildOf(first_));
  ASSERT_TRUE(sink);
  ASSERT_TRUE((*sink)->AllowRepeats());
  // More than it has, and what has changed since: that is told of again.
  ASSERT_TRUE((*sink)->InParent({{0}, {0x10000000}}));
  ASSERT_TRUE((*sink)->Write({0x101000}, ModelPage(11), PageSource::kPaused));
  ASSERT_TRUE((*sink)->Finish(model_.Metadata()));
  ExpectHolds(second_, model_.pages());
}

TEST_F(ImageParent, OneOfAnotherProcessIsRefused) {
  for (const auto& change : std::vector<std::function<void(ProcessState&)>>{
           [](ProcessState& p) { ++p.pid; }, [](ProcessState& p) { ++p.start_time; },
           [](ProcessState& p) { p.boot_id += "x"; }}) {
    auto sink = Child(ChildOf(first_));
    ASSERT_TRUE(sink);
    model_.Tell(**sink);
    ImageMetadata metadata = model_.Metadata();
    change(metadata.process);
    const auto finished = (*sink)->Finish(metadata);
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().code, ErrorCode::kUsage);
    EXPECT_NE(finished.error().message.find("of another process"), std::string::npos);
  }
  EXPECT_FALSE(test::Exists(second_));
}

TEST_F(ImageParent, AnyProcessOfTheSameExecutableWillDoIfTheCallerSaysSo) {
  for (const bool same : {true, false}) {
    ImageOptions options = ChildOf(first_);
    options.any_process = true;
    auto sink = Child(options);
    ASSERT_TRUE(sink);
    model_.Tell(**sink);
    ImageMetadata metadata = model_.Metadata();
    ++metadata.process.pid;
    if (!same) metadata.process.executable = "/bin/y";
    EXPECT_EQ((*sink)->Finish(metadata).has_value(), same);
  }
}

TEST_F(ImageParent, OneWithoutHashesIsRefused) {
  model_.Set(0x100000, 7);
  model_.Save(first_, {.hashes = false}, true);
  const auto sink = Child(ChildOf(first_));
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().code, ErrorCode::kUsage);
  EXPECT_NE(sink.error().message.find("keeps no hashes"), std::string::npos);
}

TEST_F(ImageParent, ItCantBeReplacedByItsOwnDifference) {
  const auto sink = CreateImage({.path = first_, .force = true}, ChildOf(first_));
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().code, ErrorCode::kUsage);
  ExpectHolds(first_, model_.pages());
}

TEST_F(ImageParent, BothCanBeMovedTogether) {
  model_.Set(0x100000, 7);
  model_.Save(first_, {}, true);
  model_.Save(second_, ChildOf(first_));
  test::TempDir elsewhere;
  std::filesystem::rename(first_, elsewhere / "first");
  const auto alone = ImageReader::Open(second_);
  ASSERT_FALSE(alone);
  EXPECT_NE(alone.error().message.find("first"), std::string::npos) << alone.error().message;
  std::filesystem::rename(second_, elsewhere / "second");
  ExpectHolds(elsewhere / "second", model_.pages());
}

TEST_F(ImageParent, AnotherImageOfThatNameIsNotTakenForIt) {
  model_.Set(0x100000, 7);
  model_.Save(first_, {}, true);
  model_.Save(second_, ChildOf(first_));
  model_.Save(first_, {}, true);  // the same memory, but not the same image
  const auto image = ImageReader::Open(second_);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::kDamaged);
}

TEST_F(ImageParent, MergedItStandsAloneAndForWhatItWasMergedOf) {
  ModelPages middle;
  const std::string third = directory_ / "third";
  for (int i = 0; i < 10; ++i) model_.Change();
  model_.Save(second_, ChildOf(first_));
  middle = model_.pages();
  for (int i = 0; i < 3; ++i) model_.Change();
  model_.Save(third, ChildOf(second_));

  for (const Codec codec : {Codec::kNone, Codec::kLz4}) {
    const std::string full = directory_ / "full";
    const auto image = Open(second_);
    auto sink = CreateMerged(*image, {.path = full, .force = true},
                             {.compression = {.codec = codec, .level = 1}});
    ASSERT_TRUE(sink) << sink.error().message;
    ASSERT_TRUE(CopyImageTo(*image, **sink, nullptr));
    EXPECT_EQ(Open(full)->chain().size(), 1u);
    EXPECT_EQ(Open(full)->metadata(), image->metadata());
    ExpectHolds(full, middle);
  }
  std::filesystem::rename(directory_ / "full", second_);
  std::filesystem::remove(first_);
  ExpectHolds(second_, middle);
  ExpectHolds(third, model_.pages());
  EXPECT_EQ(Open(third)->chain().size(), 2u);
}

}  // namespace
}  // namespace stillframe
