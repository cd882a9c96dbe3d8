// Reading an image back: one read of the file for each page, which no check could be simpler than,
// against ReadPage and queued reads; in order, through a chain, and at random; from the disk and
// from the page cache; plain and encoded.
//
// The plain way is pread(2) of 4 KiB at the place of the page, unchecked, where the image is raw.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "stillframe/image.h"
#include "stillframe/image_reader.h"
#include "support/machine.h"
#include "support/options.h"
#include "support/statistics.h"

namespace stillframe::bench {
namespace {

constexpr size_t kPage = kPageSize.count;
constexpr uint64_t kBegin = 0x100000000;

// Pages of which about half is the same everywhere, as in many a process.
void Fill(std::byte* page, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (size_t at = 0; at < kPage; at += sizeof(uint64_t)) {
    const uint64_t value = at % 16 == 0 ? random() : 0x0101010101010101;
    std::memcpy(page + at, &value, sizeof(value));
  }
}

ImageMetadata Metadata(uint64_t pages) {
  ImageMetadata metadata;
  metadata.process.pid = 1;
  SavedMapping mapping;
  mapping.mapping.range = {{kBegin}, {kBegin + pages * kPage}};
  mapping.saved = mapping.mapping.range;
  metadata.mappings = {mapping};
  return metadata;
}

// Which of `files` images has the page: each as many, none of them a pattern.
uint64_t ImageOf(uint64_t page, int files) {
  return (page * 0x9e3779b97f4a7c15 >> 32) % static_cast<uint64_t>(files);
}

// The last of `files` images: the first one whole, each other the difference to the one before.
void WriteChain(const std::string& path, uint64_t pages, int files, Codec codec) {
  std::vector<std::byte> run(64 * kPage);
  for (int file = 0; file < files; ++file) {
    const std::string name = path + (file + 1 == files ? "" : "." + std::to_string(file));
    const std::string before = path + "." + std::to_string(file - 1);
    ImageOptions options{.compression = {.codec = codec, .level = codec == Codec::kNone ? 0 : 8}};
    options.workers = OrDie("threads", StartTaskPool(DefaultTaskThreads()));
    if (file > 0) options.parent = OrDie("the parent", ImageReader::Open(before));
    const auto sink = OrDie("an image", CreateImage({.path = name, .force = true}, options));
    for (uint64_t first = 0; first < pages; first += 64) {
      const uint64_t count = std::min<uint64_t>(64, pages - first);
      for (uint64_t i = 0; i < count; ++i) {
        const uint64_t page = first + i;
        const uint64_t image = ImageOf(page, files);
        const bool changed = image > 0 && image <= static_cast<uint64_t>(file);
        Fill(run.data() + i * kPage, changed ? page + pages : page);
      }
      OrDie("writing", sink->Write({kBegin + first * kPage}, std::span(run).first(count * kPage),
                                   PageSource::kScanned));
    }
    OrDie("finishing", sink->Finish(Metadata(pages)));
  }
}

void DropCache(const ImageReader& image) {
  for (const ChainFile& file : image.chain()) {
    const UniqueFd fd(open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
}

std::vector<uint64_t> Order(uint64_t pages, int at_random) {
  std::vector<uint64_t> order;
  if (at_random == 0) {
    for (uint64_t i = 0; i < pages; ++i) order.push_back(i);
  } else {
    std::mt19937_64 random(3);
    for (int i = 0; i < at_random; ++i) order.push_back(random() % pages);
  }
  return order;
}

double PagesPerSecond(const std::vector<uint64_t>& order, Duration took) {
  return static_cast<double>(order.size()) / std::chrono::duration<double>(took).count();
}

// Each way brings a page to a place of its own, as whoever wants it has one; so many of them.
constexpr size_t kAtOnce = 4096;

// At the places where a raw image of all pages in order has them.
double Plain(const std::string& path, const std::vector<uint64_t>& order) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<std::byte> pages(kAtOnce * kPage);
  const TimePoint begin = MonotonicClock().Now();
  for (size_t i = 0; i < order.size(); ++i) {
    if (pread(fd.get(), pages.data() + i % kAtOnce * kPage, kPage,
              static_cast<off_t>((order[i] + 1) * kPage)) != static_cast<ssize_t>(kPage)) {
      Die("reading " + path);
    }
  }
  return PagesPerSecond(order, MonotonicClock().Now() - begin);
}

double OneByOne(const ImageReader& image, const std::vector<uint64_t>& order) {
  std::vector<std::byte> pages(kAtOnce * kPage);
  const TimePoint begin = MonotonicClock().Now();
  for (size_t i = 0; i < order.size(); ++i) {
    OrDie("reading", image.ReadPage({kBegin + order[i] * kPage},
                                    std::span(pages).subspan(i % kAtOnce * kPage, kPage)));
  }
  return PagesPerSecond(order, MonotonicClock().Now() - begin);
}

double Queued(const ImageReader& image, const std::vector<uint64_t>& order) {
  std::vector<std::byte> pages(kAtOnce * kPage);
  const auto queue = image.Queue();
  const TimePoint begin = MonotonicClock().Now();
  for (size_t first = 0; first < order.size(); first += kAtOnce) {
    const size_t count = std::min(kAtOnce, order.size() - first);
    for (size_t i = 0; i < count; ++i) {
      OrDie("reading", queue->QueueRead({kBegin + order[first + i] * kPage},
                                        std::span(pages).subspan(i * kPage, kPage)));
    }
    OrDie("reading", queue->Sync());
  }
  return PagesPerSecond(order, MonotonicClock().Now() - begin);
}

int Main(int argc, char** argv) {
  int memory = 1024;
  int rounds = 5;
  int at_random = 100'000;
  int only = 0;
  ParseOptions(argc, argv, "reading images back",
               {{"memory", &memory, 16, "MiB of the image"},
                {"rounds", &rounds, 1, "Of each"},
                {"random", &at_random, 100, "Pages read at random"},
                {"only", &only, 0, "The image of that number, from 1; 0: all four"}});
  PrintHeading(argc, argv);
  const std::string base = "/var/tmp/stillframe-read-bench." + std::to_string(getpid());
  const uint64_t pages = static_cast<uint64_t>(memory) * 256;
  WriteChain(base + ".plain", pages, 1, Codec::kNone);
  std::printf(
      "| image | order | cache | pread a page, pages/s | ReadPage | queued | ReadPage to pread | "
      "queued to pread |\n|---|---|---|---|---|---|---|---|\n");
  struct Kind {
    const char* name;
    int files;
    Codec codec;
  };
  const std::array kinds{Kind{"plain", 1, Codec::kNone},
                         Kind{"plain, chain of 10", 10, Codec::kNone}, Kind{"lz4", 1, Codec::kLz4},
                         Kind{"lz4, chain of 10", 10, Codec::kLz4}};
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (only > 0 && i + 1 != static_cast<size_t>(only)) continue;
    const Kind& kind = kinds[i];
    const std::string path = base + ".image";
    WriteChain(path, pages, kind.files, kind.codec);
    const ReadOptions options{.workers = OrDie("threads", StartTaskPool(DefaultTaskThreads()))};
    const auto image = OrDie("the image", ImageReader::Open(path, options));
    const auto plain = OrDie("the plain one", ImageReader::Open(base + ".plain"));
    for (const int random : {0, at_random}) {
      const std::vector<uint64_t> order = Order(pages, random);
      for (const bool cold : {true, false}) {
        std::vector<double> preads, singles, queued;
        for (int round = 0; round < rounds; ++round) {
          if (cold) DropCache(*plain);
          preads.push_back(Plain(base + ".plain", order));
          if (cold) DropCache(*image);
          singles.push_back(OneByOne(*image, order));
          if (cold) DropCache(*image);
          queued.push_back(Queued(*image, order));
        }
        std::printf("| %s | %s | %s | %.0f | %.0f | %.0f | %.2f | %.2f |\n", kind.name,
                    random == 0 ? "rising" : "random", cold ? "cold" : "warm", Median(preads),
                    Median(singles), Median(queued), Median(singles) / Median(preads),
                    Median(queued) / Median(preads));
        std::fflush(stdout);
      }
    }
    for (const ChainFile& file : image->chain()) unlink(file.path.c_str());
  }
  unlink((base + ".plain").c_str());
  return 0;
}

}  // namespace
}  // namespace stillframe::bench

int main(int argc, char** argv) { return stillframe::bench::Main(argc, argv); }
