// Reads that are only noted, and then done together.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "hand_image.h"
#include "image/image_chain.h"
#include "image/read_plan.h"
#include "image_samples.h"
#include "stillframe/image_reader.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

constexpr uint64_t kPage = kPageSize.count;
constexpr uint64_t kBase = 0x100000;

// Runs each task on a thread of its own, or keeps it until it is told to.
class TestPool final : public TaskPool {
 public:
  explicit TestPool(bool late = false) : late_(late) {}
  ~TestPool() override {
    RunLate();
    for (std::thread& thread : threads_) thread.join();
  }
  void Push(std::function<void()> task) override {
    ++pushed_;
    if (late_) {
      kept_.push_back(std::move(task));
    } else {
      threads_.emplace_back(std::move(task));
    }
  }
  size_t threads() const override { return 4; }
  void RunLate() {
    for (auto& task : std::exchange(kept_, {})) task();
  }
  int pushed() const { return pushed_; }

 private:
  const bool late_;
  int pushed_ = 0;
  std::deque<std::function<void()>> kept_;
  std::vector<std::thread> threads_;
};

// Blocks of 16 pages side by side, each kind of encoding in turn; the pages are those of
// PatternPages(number of the block).
constexpr uint64_t kBlocks = 40;
constexpr uint64_t kBlockPages = 16;

HandImage ManyBlocks(bool hashes, std::vector<WireEncoding> encodings) {
  HandImage image(1);
  for (uint64_t i = 0; i < kBlocks; ++i) {
    image.AddData(kBase + i * kBlockPages * kPage, PatternPages(i, kBlockPages),
                  encodings[i % encodings.size()]);
  }
  if (hashes) image.KeepHashes();
  return image;
}

const std::vector<WireEncoding> kAllEncodings{WireEncoding::kRaw, WireEncoding::kLz4,
                                              WireEncoding::kRaw, WireEncoding::kZstd};

ByteVector ExpectedPage(uint64_t page) {
  const ByteVector block = PatternPages(page / kBlockPages, kBlockPages);
  const auto at = block.begin() + static_cast<ptrdiff_t>(page % kBlockPages * kPage);
  return {at, at + static_cast<ptrdiff_t>(kPage)};
}

TargetAddress AddressOf(uint64_t page) { return {kBase + page * kPage}; }

std::unique_ptr<ImageReader> OpenGood(const MemoryFile& file, const ReadOptions& options = {}) {
  auto reader = ImageReader::Open(file.path(), options);
  EXPECT_TRUE(reader) << reader.error().message;
  return reader ? std::move(*reader) : nullptr;
}

void ExpectPagesRead(const ImageReader& reader, const std::vector<uint64_t>& pages) {
  const auto queue = reader.Queue();
  std::vector<ByteVector> read(pages.size(), ByteVector(kPage));
  for (size_t i = 0; i < pages.size(); ++i) {
    ASSERT_TRUE(queue->QueueRead(AddressOf(pages[i]), read[i]));
  }
  const auto done = queue->Sync();
  ASSERT_TRUE(done) << done.error().message;
  for (size_t i = 0; i < pages.size(); ++i) EXPECT_EQ(read[i], ExpectedPage(pages[i])) << i;
}

TEST(ImageQueue, AllPagesSomeAndRepeatedOnesComeToTheirPlaces) {
  for (const bool hashes : {false, true}) {
    const MemoryFile file(ManyBlocks(hashes, kAllEncodings).Build());
    const auto reader = OpenGood(file);
    ASSERT_NE(reader, nullptr);
    std::vector<uint64_t> all;
    for (uint64_t i = 0; i < kBlocks * kBlockPages; ++i) all.push_back(i);
    ExpectPagesRead(*reader, all);
    std::ranges::reverse(all);
    ExpectPagesRead(*reader, all);
    ExpectPagesRead(*reader, {5, 5, 5, 300, 17, 17, 5});
    std::vector<uint64_t> some;
    for (uint64_t i = 0; i < kBlocks * kBlockPages; i += 7) some.push_back(i);
    ExpectPagesRead(*reader, some);
  }
}

TEST(ImageQueue, OneDestinationForAllIsFilledInOneGo) {
  const MemoryFile file(ManyBlocks(false, kAllEncodings).Build());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  const uint64_t pages = kBlocks * kBlockPages;
  ByteVector memory(pages * kPage);
  const auto queue = reader->Queue();
  for (uint64_t i = 0; i < pages; ++i) {
    ASSERT_TRUE(queue->QueueRead(AddressOf(i), std::span(memory).subspan(i * kPage, kPage)));
  }
  ASSERT_TRUE(queue->Sync());
  ByteVector expected(memory.size());
  ASSERT_TRUE(reader->Read({kBase}, expected));
  EXPECT_EQ(memory, expected);
  EXPECT_EQ(ByteVector(memory.end() - static_cast<ptrdiff_t>(kPage), memory.end()),
            ExpectedPage(pages - 1));
}

TEST(ImageQueue, WorkersTakePart) {
  for (const bool late : {false, true}) {
    const MemoryFile file(ManyBlocks(true, kAllEncodings).Build());
    const auto pool = std::make_shared<TestPool>(late);
    auto reader = OpenGood(file, {.workers = pool});
    ASSERT_NE(reader, nullptr);
    std::vector<uint64_t> pages;
    for (uint64_t i = 0; i < kBlocks * kBlockPages; ++i) pages.push_back(i * 11 % 640);
    ExpectPagesRead(*reader, pages);
    EXPECT_GT(pool->pushed(), 0);
    // Tasks that begin when all is done, and the reader gone, find nothing to do.
    reader.reset();
    pool->RunLate();
  }
}

TEST(ImageQueue, WhatCanNotBeReadIsNotNoted) {
  HandImage image(1);
  image.AddData(kBase, PatternPages(0, 2));
  image.Add(WireKind::kLost, kBase + 2 * kPage, 1);
  image.Add(WireKind::kZero, kBase + 3 * kPage, 1);
  const MemoryFile file(image.Build());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  const auto queue = reader->Queue();
  ByteVector page(kPage);
  ByteVector zero(kPage, std::byte{7});
  const auto code = [&](TargetAddress at, std::span<std::byte> to) {
    return queue->QueueRead(at, to).error().code;
  };
  ASSERT_TRUE(queue->QueueRead({kBase}, page));
  EXPECT_EQ(code({kBase + 2 * kPage}, page), ErrorCode::kInternal);
  EXPECT_EQ(code({kBase + 4 * kPage}, page), ErrorCode::kUsage);
  EXPECT_EQ(code({0}, page), ErrorCode::kUsage);
  EXPECT_EQ(code({kBase + 1}, page), ErrorCode::kUsage);
  EXPECT_EQ(code({kBase}, std::span(page).first(100)), ErrorCode::kUsage);
  ASSERT_TRUE(queue->QueueRead({kBase + 3 * kPage}, zero));
  ASSERT_TRUE(queue->Sync());
  EXPECT_EQ(page, PatternPages(0, 1));
  EXPECT_EQ(zero, ByteVector(kPage));
  EXPECT_TRUE(queue->Sync());  // of nothing
}

TEST(ImageQueue, TheFirstDamagedBlockInTheFileIsTold) {
  for (const bool workers : {false, true}) {
    HandImage image = ManyBlocks(false, kAllEncodings);
    ByteVector bytes = image.Build();
    for (const size_t block : {9u, 20u, 33u}) bytes[image.offset(block) + 3] ^= std::byte{1};
    const MemoryFile file(bytes);
    const auto reader =
        OpenGood(file, {.workers = workers ? std::make_shared<TestPool>() : nullptr});
    ASSERT_NE(reader, nullptr);
    const auto queue = reader->Queue();
    std::vector<ByteVector> pages(kBlocks * kBlockPages, ByteVector(kPage));
    for (uint64_t i = pages.size(); i-- > 0;) {
      ASSERT_TRUE(queue->QueueRead(AddressOf(i), pages[i]));
    }
    const auto done = queue->Sync();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::kDamaged);
    EXPECT_EQ(done.error().address, AddressOf(9 * kBlockPages)) << done.error().message;
    // Nothing of it is noted any more, and the queue goes on.
    EXPECT_TRUE(queue->Sync());
    ASSERT_TRUE(queue->QueueRead(AddressOf(0), pages[0]));
    ASSERT_TRUE(queue->Sync());
    EXPECT_EQ(pages[0], ExpectedPage(0));
  }
}

TEST(ImageQueue, AFileThatBecameShorterIsAnErrorAndNoLoop) {
  for (const bool hashes : {false, true}) {
    HandImage image = ManyBlocks(hashes, kAllEncodings);
    MemoryFile file(image.Build());
    const auto reader = OpenGood(file);
    ASSERT_NE(reader, nullptr);
    file.Resize(image.offset(20) + 100);
    const auto queue = reader->Queue();
    std::vector<ByteVector> pages(kBlocks * kBlockPages, ByteVector(kPage));
    for (uint64_t i = 0; i < pages.size(); ++i) {
      ASSERT_TRUE(queue->QueueRead(AddressOf(i), pages[i]));
    }
    const auto done = queue->Sync();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::kDamaged);
    EXPECT_NE(done.error().message.find("became shorter"), std::string::npos);
    ASSERT_TRUE(queue->QueueRead(AddressOf(0), pages[0]));
    EXPECT_TRUE(queue->Sync());
  }
}

TEST(ImageQueue, APageIsProvenByItsHashWithoutTheRestOfItsBlock) {
  HandImage image = ManyBlocks(true, {WireEncoding::kRaw});
  ByteVector bytes = image.Build();
  bytes[image.offset(3) + 5 * kPage] ^= std::byte{1};
  const MemoryFile file(bytes);
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  ExpectPagesRead(*reader, {3 * kBlockPages + 4, 3 * kBlockPages + 6, 70});
  ByteVector page(kPage);
  const auto queue = reader->Queue();
  ASSERT_TRUE(queue->QueueRead(AddressOf(3 * kBlockPages + 5), page));
  const auto done = queue->Sync();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kDamaged);
}

// Of many, the first ones are read with their blocks.
TEST(ImageQueue, ManySinglePagesAreReadAloneAndProvenByTheirHashes) {
  HandImage image = ManyBlocks(true, {WireEncoding::kRaw});
  ByteVector bytes = image.Build();
  bytes[image.offset(3) + 5 * kPage] ^= std::byte{1};
  const MemoryFile file(std::move(bytes));
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  ByteVector page(kPage);
  // A page of each block in turn, so that no block is kept until its next one.
  for (uint64_t number = 0; number < 4; ++number) {
    for (uint64_t block = 0; block < kBlocks; ++block) {
      const uint64_t wanted = block * kBlockPages + number;
      if (number < 2 && block == 3) continue;  // its block would be looked at
      ASSERT_TRUE(reader->ReadPage(AddressOf(wanted), page)) << wanted;
      ASSERT_EQ(page, ExpectedPage(wanted)) << wanted;
    }
  }
  const auto damaged = reader->ReadPage(AddressOf(3 * kBlockPages + 5), page);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::kDamaged);
}

TEST(ImageQueue, MorePagesThanAreNotedAtOnceAreRead) {
  const MemoryFile file(ManyBlocks(true, kAllEncodings).Build());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  const auto queue = reader->Queue();
  constexpr uint64_t kPages = kBlocks * kBlockPages;
  std::vector<ByteVector> pages(kPages, ByteVector(kPage));
  for (uint64_t i = 0; i < 200000; ++i) {
    ASSERT_TRUE(queue->QueueRead(AddressOf(i % kPages), pages[i % kPages]));
  }
  // What was noted first was read by then.
  EXPECT_EQ(pages[3], ExpectedPage(3));
  ASSERT_TRUE(queue->Sync());
  for (uint64_t i = 0; i < kPages; ++i) ASSERT_EQ(pages[i], ExpectedPage(i));
}

TEST(ImageQueue, QueuesOfOneReaderDoNotDisturbEachOther) {
  const MemoryFile file(ManyBlocks(true, kAllEncodings).Build());
  const auto reader = OpenGood(file);
  ASSERT_NE(reader, nullptr);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&reader, t] {
      std::vector<uint64_t> pages;
      for (uint64_t i = 0; i < 300; ++i) pages.push_back((i * 37 + t * 11) % 640);
      ExpectPagesRead(*reader, pages);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// How pages are read is a plan before it is done.
class ReadPlan : public testing::Test {
 protected:
  void Use(HandImage image) {
    test::WriteFile(path_, "");
    const ByteVector bytes = image.Build();
    test::WriteFile(path_, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    auto chain = ImageChain::Open(path_, ImageFile::Access::kShared);
    ASSERT_TRUE(chain) << chain.error().message;
    chain_.emplace(std::move(*chain));
  }
  std::vector<PlannedRead> Plan(const std::vector<uint64_t>& numbers) {
    pages_.clear();
    for (const uint64_t number : numbers) {
      const ChainRun& run = chain_->From(AddressOf(number)).front();
      const WireIndexEntry& entry = chain_->entry(run);
      pages_.push_back({.block = entry.file_offset,
                        .entry = &entry,
                        .page = static_cast<uint16_t>(number % kBlockPages)});
    }
    return PlanReads(*chain_, pages_);
  }

  const test::TempDir directory_;
  const std::string path_ = directory_ / "image";
  std::optional<ImageChain> chain_;
  std::vector<QueuedPage> pages_;
};

TEST_F(ReadPlan, BlocksSideBySideAreOneReadUpToItsLimit) {
  Use(ManyBlocks(false, {WireEncoding::kRaw}));
  // 64 KiB each: four of them are the longest read.
  std::vector<uint64_t> first_pages;
  for (uint64_t i = 0; i < kBlocks; ++i) first_pages.push_back((kBlocks - 1 - i) * kBlockPages);
  const auto reads = Plan(first_pages);
  ASSERT_EQ(reads.size(), 10u);
  EXPECT_EQ(reads[0].begin, kHeaderSize);
  for (const PlannedRead& read : reads) {
    EXPECT_EQ(read.end - read.begin, kMostRead);
    EXPECT_EQ(read.count, 4u);
  }
}

TEST_F(ReadPlan, ABlockIsReadOnceForAllOfItsPages) {
  Use(ManyBlocks(false, {WireEncoding::kLz4}));
  const auto reads = Plan({0, 3, 3, 15, 200, 201});
  ASSERT_EQ(reads.size(), 2u);
  EXPECT_EQ(reads[0].count, 4u);
  EXPECT_EQ(reads[0].end - reads[0].begin, pages_[0].entry->stored_bytes);
  EXPECT_EQ(reads[1].count, 2u);
}

TEST_F(ReadPlan, FewPagesOfARawBlockAreReadAloneWhereTheyCanBeProven) {
  Use(ManyBlocks(true, {WireEncoding::kRaw}));
  auto reads = Plan({1, 9});
  ASSERT_EQ(reads.size(), 2u);
  EXPECT_EQ(reads[0].begin, kHeaderSize + kPage);
  EXPECT_EQ(reads[0].end, kHeaderSize + 2 * kPage);
  // With little between them it is read along; that no page is wanted twice matters not.
  reads = Plan({1, 4, 4});
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].end - reads[0].begin, 4 * kPage);
  // Most of the block: all of it, as its checksum is as good.
  reads = Plan({0, 1, 2, 3, 4, 5, 6, 7, 15});
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].end - reads[0].begin, kBlockPages * kPage);
  Use(ManyBlocks(false, {WireEncoding::kRaw}));
  EXPECT_EQ(Plan({1}).front().end - Plan({1}).front().begin, kBlockPages * kPage);
}

}  // namespace
}  // namespace stillframe
