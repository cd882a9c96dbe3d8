#include <gtest/gtest.h>

#include "report/image_report.h"

namespace stillframe {
namespace {

// An image of three pages in two mappings, one of them lost, and of a third mapping that was left
// out.
class FakeImage final : public ImageReader {
 public:
  FakeImage() {
    metadata_.process.pid = 42;
    metadata_.process.executable = "/bin/thing";
    for (const char c : std::string_view("thing\0--all\0", 12)) {
      metadata_.process.command_line.push_back(static_cast<std::byte>(c));
    }
    metadata_.process.threads = {Thread(42, "main"), Thread(43, "wor\nker")};
    Mapping heap;
    heap.range = {{0x1000}, {0x3000}};
    heap.readable = heap.writable = true;
    heap.name = "[heap]";
    Mapping text;
    text.range = {{0x8000}, {0xa000}};
    text.readable = text.executable = text.shared = true;
    text.name = "/bin/thing";
    text.inode = 9;
    Mapping library;
    library.range = {{0xf000}, {0x10000}};
    library.readable = true;
    library.name = "/lib/left-out";
    metadata_.mappings = {
        {heap, heap.range}, {text, {{0x8000}, {0x9000}}}, {library, {{0xf000}, {0xf000}}}};
    metadata_.skipped = {{{{0xf000}, {0x10000}}, "io"}};
    metadata_.instant_unix_ns = 1'700'000'000'123'456'789;
    metadata_.pause_ns = 250'000;
    metadata_.filter = 0x33;
    metadata_.kernel = "6.1";
    metadata_.host = "here";
  }

  const ImageMetadata& metadata() const override { return metadata_; }
  uint32_t format_version() const override { return 1; }
  std::array<uint8_t, 16> id() const override { return {0xab, 1}; }
  Bytes file_size() const override { return {12288}; }
  SinkCounters counters() const override {
    return {
        .zero = {1}, .scanned = {1}, .faulted = {}, .paused = {}, .lost = {1}, .written = {12288}};
  }
  std::vector<ImageRun> Runs(AddressRange range) const override {
    std::vector<ImageRun> runs;
    for (const ImageRun& run : {Run({{0x1000}, {0x2000}}, PageKind::kData, ""),
                                Run({{0x2000}, {0x3000}}, PageKind::kLost, "unmapped"),
                                Run({{0x8000}, {0x9000}}, PageKind::kZero, "")}) {
      if (run.range.Overlaps(range)) runs.push_back(run);
    }
    return runs;
  }
  Result<void> Read(TargetAddress, std::span<std::byte>) const override { return {}; }
  std::span<const ChainFile> chain() const override { return chain_; }
  std::unique_ptr<PageQueue> Queue() const override { return nullptr; }
  std::optional<PageHash> HashOf(TargetAddress) const override { return std::nullopt; }
  Result<void> Verify() const override { return {}; }

  void AddParent() {
    chain_[0].in_parent = {1};
    chain_.push_back({.path = "dir/pa\nrent",
                      .id = {0xcd},
                      .index_checksum = 3,
                      .format_version = 2,
                      .size = {9000},
                      .stored = {100},
                      .pages = {2000},
                      .in_parent = {},
                      .freed = {7},
                      .has_hashes = true,
                      .stands_for = {}});
  }

 private:
  static ThreadState Thread(pid_t tid, std::string name) {
    ThreadState thread;
    thread.tid = tid;
    thread.name = std::move(name);
    return thread;
  }
  static ImageRun Run(AddressRange range, PageKind kind, std::string_view reason) {
    return {range, kind, PageSource::kScanned, reason};
  }

  ImageMetadata metadata_;
  std::vector<ChainFile> chain_ = {{.path = "x",
                                    .id = {0xab, 1},
                                    .index_checksum = 2,
                                    .format_version = 1,
                                    .size = {12288},
                                    .stored = {4096},
                                    .pages = {1},
                                    .in_parent = {},
                                    .freed = {},
                                    .has_hashes = false,
                                    .stands_for = {}}};
};

TEST(ImageReport, JsonTellsTargetTimeMappingsPagesThreadsSkippedAndLost) {
  EXPECT_EQ(ImageToJson(FakeImage(), "x"), Json::parse(R"({
    "schema": 1, "verb": "info", "image": "x", "format_version": 1,
    "id": "ab010000000000000000000000000000", "image_bytes": 12288, "memory_bytes": 12288,
    "pid": 42, "executable": "/bin/thing", "command_line": ["thing", "--all"],
    "host": "here", "kernel": "6.1", "instant_unix_ns": 1700000000123456789,
    "instant": "2023-11-14T22:13:20.123Z", "pause_us": 250, "filter": 51,
    "pages": {"total": 3, "zero": 1, "scanned": 1, "faulted": 0, "paused": 0, "lost": 1},
    "chain": [{"image": "x", "id": "ab010000000000000000000000000000", "format_version": 1,
               "image_bytes": 12288, "stored_bytes": 4096, "pages": 1, "in_parent": 0, "freed": 0,
               "hashes": false}],
    "threads": [{"tid": 42, "name": "main", "registers": false},
                {"tid": 43, "name": "wor\nker", "registers": false}],
    "mappings": [
      {"begin": "0x1000", "end": "0x3000", "saved": {"begin": "0x1000", "end": "0x3000"},
       "permissions": "rw-p", "name": "[heap]", "file_offset": 0, "inode": 0,
       "pages": {"data": 1, "in_parent": 0, "zero": 0, "lost": 1, "freed": 0}},
      {"begin": "0x8000", "end": "0xa000", "saved": {"begin": "0x8000", "end": "0x9000"},
       "permissions": "r-xs", "name": "/bin/thing", "file_offset": 0, "inode": 9,
       "pages": {"data": 0, "in_parent": 0, "zero": 1, "lost": 0, "freed": 0}},
      {"begin": "0xf000", "end": "0x10000", "saved": {"begin": "0xf000", "end": "0xf000"},
       "permissions": "r--p", "name": "/lib/left-out", "file_offset": 0, "inode": 0,
       "pages": {"data": 0, "in_parent": 0, "zero": 0, "lost": 0, "freed": 0}}],
    "skipped": [{"begin": "0xf000", "end": "0x10000", "reason": "io"}],
    "lost": [{"begin": "0x2000", "end": "0x3000", "reason": "unmapped"}]
  })"));
}

TEST(ImageReport, AChainIsListedWhereThereIsOne) {
  FakeImage image;
  EXPECT_EQ(ImageToText(image, "x", false).find("chain"), std::string::npos);
  image.AddParent();
  const std::string text = ImageToText(image, "x", false);
  EXPECT_NE(text.find("  chain     2\n"
                      "    ab010000000000000000000000000000  1 pages in 4.00 KiB, 1 in its parent"
                      "  x\n"
                      "    cd000000000000000000000000000000  2,000 pages in 100 B, 7 freed"
                      "  dir/pa\\x0arent\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(ImageToJson(image, "x")["chain"][1],
            Json::parse(R"({"image": "dir/pa\nrent", "id": "cd000000000000000000000000000000",
                            "format_version": 2, "image_bytes": 9000, "stored_bytes": 100,
                            "pages": 2000, "in_parent": 0, "freed": 7, "hashes": true})"));
}

TEST(ImageReport, TextListsMappingsWithTheirPages) {
  const std::string text = ImageToText(FakeImage(), "x", false);
  EXPECT_NE(text.find("process 42 on here (Linux 6.1): thing --all\n"), std::string::npos) << text;
  EXPECT_NE(text.find("0x1000-0x3000 rw-p  8.00 KiB: 1 data, 0 zero, 1 lost  [heap]\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("0 data, 1 zero, only 0x8000-0x9000  /bin/thing\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("43 (wor\\x0aker)"), std::string::npos) << text;
  EXPECT_NE(text.find("0x2000-0x3000  4.00 KiB  unmapped\n"), std::string::npos) << text;
}

TEST(ImageReport, TextListsMappingsThatAreNotSavedOnlyWhenAllIsAskedFor) {
  const std::string text = ImageToText(FakeImage(), "x", false);
  EXPECT_NE(text.find("  mappings  2 saved, 1 not saved\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("/lib/left-out"), std::string::npos) << text;
  const std::string all = ImageToText(FakeImage(), "x", true);
  EXPECT_NE(all.find("0xf000-0x10000 r--p  4.00 KiB: not saved  /lib/left-out\n"),
            std::string::npos)
      << all;
}

}  // namespace
}  // namespace stillframe
