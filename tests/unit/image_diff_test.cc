// Which pages differ, and how little has to be read to know it.
#include "stillframe/image_diff.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "diff_image.h"

namespace stillframe {
namespace {

using test::DiffImage;

constexpr uint64_t kPage = kPageSize.count;

DifferentRange Range(uint64_t begin, uint64_t end, Difference difference) {
  return {{{begin}, {end}}, difference};
}

ImageDiff Diff(const DiffImage& a, const DiffImage& b) {
  auto diff = DiffImages(a, b);
  EXPECT_TRUE(diff) << diff.error().message;
  return *std::move(diff);
}

TEST(ImageDiff, AnImageIsEqualToItselfWithoutAnyReading) {
  DiffImage image;
  image.AddFile(1, false);
  image.AddMapping(0x10000, 10, "heap");
  image.Data(0x12000, 5, 7);
  const ImageDiff diff = Diff(image, image);
  EXPECT_TRUE(diff.ranges.empty());
  EXPECT_EQ(diff.equal, Pages{10});
  EXPECT_EQ(diff.same_block, Pages{5});
  EXPECT_EQ(diff.by_hash.count + diff.by_bytes.count, 0u);
  EXPECT_EQ(image.reads(), 0u);
}

TEST(ImageDiff, PagesOfACommonParentAreEqualWithoutAnyReading) {
  DiffImage a;
  a.AddFile(1, false);
  a.AddMapping(0x10000, 8, "heap");
  a.Data(0x10000, 8, 7);
  DiffImage b;
  b.AddFile(2, false);
  b.AddFile(1, false);
  b.AddMapping(0x10000, 8, "heap");
  b.Data(0x10000, 8, 7, 1);
  b.Data(0x11000, 1, 8, 0);
  b.Data(0x15000, 1, 7, 0);  // written anew with the same bytes
  const ImageDiff diff = Diff(a, b);
  EXPECT_EQ(diff.ranges, std::vector{Range(0x11000, 0x12000, Difference::kChanged)});
  EXPECT_EQ(diff.equal, Pages{7});
  EXPECT_EQ(diff.same_block, Pages{6});
  EXPECT_EQ(diff.by_bytes, Pages{2});
  EXPECT_EQ(a.reads(), 2u);
  EXPECT_EQ(b.reads(), 2u);
}

TEST(ImageDiff, HashesAreEnoughWhereBothHaveThem) {
  DiffImage a;
  a.AddFile(1, true);
  a.AddMapping(0x10000, 100, "heap");
  a.Data(0x10000, 100, 7);
  DiffImage b;
  b.AddFile(2, true);
  b.AddMapping(0x10000, 100, "heap");
  b.Data(0x10000, 100, 7);
  b.Data(0x20000, 20, 8);
  const ImageDiff diff = Diff(a, b);
  EXPECT_EQ(diff.ranges, std::vector{Range(0x20000, 0x34000, Difference::kChanged)});
  EXPECT_EQ(diff.changed, Pages{20});
  EXPECT_EQ(diff.equal, Pages{80});
  EXPECT_EQ(diff.by_hash, Pages{100});
  EXPECT_EQ(a.reads() + b.reads(), 0u);
}

TEST(ImageDiff, WithoutHashesInOneOfThemBytesDecide) {
  DiffImage a;
  a.AddFile(1, true);
  a.AddMapping(0x10000, 3000, "heap");
  a.Data(0x10000, 3000, 7);
  DiffImage b;
  b.AddFile(2, false);
  b.AddMapping(0x10000, 3000, "heap");
  b.Data(0x10000, 3000, 7);
  // The first and the last, and in between on both sides of where a batch of reads may end.
  for (const uint64_t page : {0u, 511u, 512u, 1024u, 2999u}) {
    b.Data(0x10000 + page * kPage, 1, 100 + page);
  }
  const ImageDiff diff = Diff(a, b);
  EXPECT_EQ(diff.by_bytes, Pages{3000});
  EXPECT_EQ(diff.changed, Pages{5});
  EXPECT_EQ(
      diff.ranges,
      (std::vector{Range(0x10000, 0x11000, Difference::kChanged),
                   Range(0x10000 + 511 * kPage, 0x10000 + 513 * kPage, Difference::kChanged),
                   Range(0x10000 + 1024 * kPage, 0x10000 + 1025 * kPage, Difference::kChanged),
                   Range(0x10000 + 2999 * kPage, 0x10000 + 3000 * kPage, Difference::kChanged)}));
}

TEST(ImageDiff, MappingsThatCameAndWentAreInOneOnly) {
  DiffImage a;
  a.AddFile(1, true);
  a.AddMapping(0x10000, 4, "went");
  a.AddMapping(0x20000, 4, "shrank");
  a.AddMapping(0x30000, 2, "grew");
  a.AddMapping(0x40000, 4, "left out of b");
  DiffImage b;
  b.AddFile(2, true);
  b.AddMapping(0x22000, 2, "shrank");
  b.AddMapping(0x2e000, 6, "grew");
  b.LeaveOut(0x40000, 4, "left out of b");
  b.AddMapping(0x50000, 1, "came");
  const ImageDiff diff = Diff(a, b);
  EXPECT_EQ(diff.ranges, (std::vector{Range(0x10000, 0x14000, Difference::kOnlyA),
                                      Range(0x20000, 0x22000, Difference::kOnlyA),
                                      Range(0x2e000, 0x30000, Difference::kOnlyB),
                                      Range(0x32000, 0x34000, Difference::kOnlyB),
                                      Range(0x40000, 0x44000, Difference::kOnlyA),
                                      Range(0x50000, 0x51000, Difference::kOnlyB)}));
  EXPECT_EQ(diff.only_a, Pages{10});
  EXPECT_EQ(diff.only_b, Pages{5});
  EXPECT_EQ(diff.equal, Pages{4});
}

TEST(ImageDiff, ZeroIsNotDataAndIsNotRead) {
  DiffImage a;
  a.AddFile(1, false);
  a.AddMapping(0x10000, 4, "heap");
  a.Data(0x11000, 1, 7);
  DiffImage b;
  b.AddFile(2, false);
  b.AddMapping(0x10000, 4, "heap");
  b.Data(0x12000, 1, 7);
  const ImageDiff diff = Diff(a, b);
  EXPECT_EQ(diff.ranges, std::vector{Range(0x11000, 0x13000, Difference::kChanged)});
  EXPECT_EQ(diff.equal, Pages{2});
  EXPECT_EQ(a.reads() + b.reads(), 0u);
}

TEST(ImageDiff, OfWhatWasLostOrFreedNothingIsSaid) {
  DiffImage a;
  a.AddFile(1, false);
  a.AddMapping(0x10000, 6, "heap");
  a.Data(0x10000, 6, 7);
  DiffImage b;
  b.AddFile(2, false);
  b.AddMapping(0x10000, 6, "heap");
  b.Data(0x10000, 6, 7);
  a.Lose(0x11000);
  b.Lose(0x12000);
  a.Lose(0x14000, PageKind::kFreed);
  b.Lose(0x14000);
  const ImageDiff diff = Diff(a, b);
  EXPECT_EQ(diff.ranges, (std::vector{Range(0x11000, 0x13000, Difference::kLost),
                                      Range(0x14000, 0x15000, Difference::kLost)}));
  EXPECT_EQ(diff.lost, Pages{3});
  EXPECT_EQ(diff.equal, Pages{3});
}

TEST(ImageDiff, DamageIsToldOf) {
  DiffImage a;
  a.AddFile(1, false);
  a.AddMapping(0x10000, 1, "heap");
  a.Data(0x10000, 1, 7);
  DiffImage b;
  b.AddFile(2, false);
  b.AddMapping(0x10000, 1, "heap");
  b.Data(0x10000, 1, 7);
  b.FailReads();
  const auto diff = DiffImages(a, b);
  ASSERT_FALSE(diff);
  EXPECT_EQ(diff.error().code, ErrorCode::kDamaged);
}

TEST(ImageDiff, ImagesWithoutMemoryAreEqual) {
  DiffImage a;
  a.AddFile(1, true);
  DiffImage b;
  b.AddFile(2, true);
  b.LeaveOut(0x1000, 1, "");
  EXPECT_TRUE(Diff(a, b).ranges.empty());
  DiffImage c;
  c.AddFile(3, true);
  c.AddMapping(0x1000, 1, "");
  EXPECT_EQ(Diff(a, c).only_b, Pages{1});
  EXPECT_EQ(Diff(c, a).only_a, Pages{1});
}

// What one page holds, in the words of the model: nothing, or its kind and value.
struct Model {
  std::vector<std::optional<std::pair<PageKind, uint64_t>>> pages;
};

TEST(ImageDiff, AnyTwoImagesDifferWhereTheirPagesDo) {
  constexpr uint64_t kPages = 1200;
  constexpr uint64_t kBase = 0x100000;
  std::mt19937_64 random(3);
  for (int round = 0; round < 30; ++round) {
    DiffImage images[2];
    Model models[2];
    for (int i = 0; i < 2; ++i) {
      images[i].AddFile(static_cast<uint8_t>(1 + i), random() % 2 == 0);
      images[i].AddFile(9, random() % 2 == 0);
      Model& model = models[i];
      model.pages.resize(kPages);
      for (uint64_t at = random() % 5; at < kPages;) {
        const uint64_t length = std::min(random() % 60 + 1, kPages - at);
        images[i].AddMapping(kBase + at * kPage, length, "m");
        for (uint64_t p = at; p < at + length; ++p) {
          const uint64_t address = kBase + p * kPage;
          model.pages[p] = {PageKind::kZero, 0};
          if (random() % 8 == 0) {
            images[i].Lose(address);
            model.pages[p] = {PageKind::kLost, 0};
          } else if (random() % 4 != 0) {
            // What stands in the parent is the same for both.
            const bool in_parent = random() % 2 == 0;
            const uint64_t value = in_parent ? 1 + p % 2 : 1 + random() % 3;
            images[i].Data(address, 1, value, in_parent ? 1 : 0);
            model.pages[p] = {PageKind::kData, value};
          }
        }
        at += length + random() % 10;
      }
    }
    const ImageDiff diff = Diff(images[0], images[1]);
    std::vector<std::optional<Difference>> found(kPages);
    TargetAddress last{0};
    for (const DifferentRange& range : diff.ranges) {
      ASSERT_GE(range.range.begin, last);
      ASSERT_FALSE(range.range.empty());
      last = range.range.end;
      for (uint64_t at = range.range.begin.value; at < range.range.end.value; at += kPage) {
        found[(at - kBase) / kPage] = range.difference;
      }
    }
    Pages equal;
    for (uint64_t p = 0; p < kPages; ++p) {
      const auto& a = models[0].pages[p];
      const auto& b = models[1].pages[p];
      std::optional<Difference> expected;
      if (a && !b) {
        expected = Difference::kOnlyA;
      } else if (b && !a) {
        expected = Difference::kOnlyB;
      } else if (a && (a->first == PageKind::kLost || b->first == PageKind::kLost)) {
        expected = Difference::kLost;
      } else if (a != b) {
        expected = Difference::kChanged;
      } else if (a) {
        equal += Pages{1};
      }
      ASSERT_EQ(found[p], expected) << round << " page " << p;
    }
    EXPECT_EQ(diff.equal, equal);
  }
}

}  // namespace
}  // namespace stillframe
