// Runs the fuzz target where there is no libFuzzer: first the corpus, then mutations of it, the
// same ones every time.
//
//   image_fuzz CORPUS [MUTATIONS]       ends badly at the first finding
//   image_fuzz --trust-checksums CORPUS [MUTATIONS]
//       Proves that findings are found: mutated images get right checksums, blocks included, as if
//       the reader looked at none; then the property "an image that was changed is not accepted"
//       must fail.
//   image_fuzz --write-corpus CORPUS    writes the seeds
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "fuzz_parent.h"
#include "hand_image.h"
#include "image_samples.h"
#include "stillframe/image_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace stillframe {
namespace {

ByteVector ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void WriteFile(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
}

ByteVector TextBytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void WriteCorpus(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  ByteVector small = SmallImage();
  WriteFile(directory / "small", small);
  WriteFile(directory / "rewritten", RewrittenImage());
  WriteFile(directory / "empty", EmptyImage());
  WriteFile(directory / "packed", PackedImage().Build());
  WriteFile(directory / "difference", DifferenceImage(FuzzParent::kName).Build());
  WriteFile(directory / "text", TextBytes("just text\n"));
  WriteFile(directory / "cut", std::span(small).first(small.size() - 1));
  std::vector<RawSection> sections = SectionsOf(small);
  sections.push_back({.type = 4711, .flags = kSectionOptional, .bytes = TextBytes("unknown")});
  WriteFile(directory / "unknown-optional", WithSections(small, sections));
}

class Mutator {
 public:
  // The interesting bytes of an image are few beside its pages: most changes go there.
  void Mutate(ByteVector& bytes) {
    for (uint64_t n = 1 + Below(4); n > 0 && !bytes.empty(); --n) MutateOnce(bytes);
  }
  uint64_t Below(uint64_t limit) {
    return std::uniform_int_distribution<uint64_t>(0, limit - 1)(random_);
  }

 private:
  size_t Place(const ByteVector& bytes) {
    if (bytes.size() > 4096 && Below(8) != 0) {
      const size_t tail = std::min<size_t>(bytes.size(), 1600);
      return bytes.size() - 1 - static_cast<size_t>(Below(tail));
    }
    return static_cast<size_t>(Below(bytes.size()));
  }

  void MutateOnce(ByteVector& bytes) {
    const size_t at = Place(bytes);
    switch (Below(6)) {
      case 0:
        bytes[at] ^= static_cast<std::byte>(1u << Below(8));
        break;
      case 1:
        bytes[at] = static_cast<std::byte>(Below(256));
        break;
      case 2:
        SetWord(bytes, at & ~size_t{7});
        break;
      case 3:
        bytes.resize(at);
        break;
      case 4:
        bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(at),
                     static_cast<std::byte>(Below(256)));
        break;
      case 5:
        CopyWithin(bytes, at);
        break;
      default:
        break;
    }
  }

  // Lengths, offsets and counts that are off by little or by all.
  void SetWord(ByteVector& bytes, size_t at) {
    if (at + sizeof(uint64_t) > bytes.size()) return;
    constexpr uint64_t kWords[] = {
        0, 1, 4095, 4096, 1u << 31, 0xffffffff, 1ull << 62, UINT64_MAX, UINT64_MAX - 4095};
    uint64_t word = Load<uint64_t>(bytes, at);
    switch (Below(3)) {
      case 0:
        word = kWords[Below(std::size(kWords))];
        break;
      case 1:
        word += 1;
        break;
      default:
        word -= 4096;
        break;
    }
    StoreAt(bytes, at, word);
  }

  void CopyWithin(ByteVector& bytes, size_t from) {
    const size_t to = Place(bytes);
    const size_t length = std::min<size_t>(
        {static_cast<size_t>(1 + Below(64)), bytes.size() - from, bytes.size() - to});
    std::memmove(bytes.data() + to, bytes.data() + from, length);
  }

  std::mt19937_64 random_{1};
};

// A changed image is not accepted. With `trust_checksums` it is made to look as if its checksums
// were never looked at.
void RequireRefused(ByteVector bytes, bool trust_checksums) {
  if (trust_checksums) RepairChecksums(bytes, /*blocks=*/true);
  const MemoryFile file(bytes);
  const auto reader = ImageReader::Open(file.path());
  if (!reader || !(*reader)->Verify()) return;
  std::fprintf(stderr, "not so: a changed image is not accepted\n");
  std::exit(1);
}

int Run(const std::filesystem::path& corpus, uint64_t mutations, bool trust_checksums) {
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(corpus)) paths.push_back(file.path());
  std::sort(paths.begin(), paths.end());
  std::vector<ByteVector> seeds;
  for (const auto& path : paths) seeds.push_back(ReadFile(path));
  if (seeds.empty()) {
    std::fprintf(stderr, "no corpus in %s\n", corpus.c_str());
    return 2;
  }
  for (const ByteVector& seed : seeds) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(seed.data()), seed.size());
  }
  Mutator mutator;
  for (uint64_t i = 0; i < mutations; ++i) {
    const ByteVector& seed = seeds[static_cast<size_t>(mutator.Below(seeds.size()))];
    ByteVector bytes = seed;
    mutator.Mutate(bytes);
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    if (bytes != seed && std::find(seeds.begin(), seeds.end(), bytes) == seeds.end()) {
      RequireRefused(std::move(bytes), trust_checksums);
    }
  }
  std::printf("%zu seeds, %llu mutations: no finding\n", seeds.size(),
              static_cast<unsigned long long>(mutations));
  return 0;
}

}  // namespace
}  // namespace stillframe

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const auto take = [&arguments](const char* option) {
    if (arguments.empty() || arguments.front() != option) return false;
    arguments.erase(arguments.begin());
    return true;
  };
  const bool write = take("--write-corpus");
  const bool trust_checksums = take("--trust-checksums");
  if (arguments.empty()) {
    std::fprintf(stderr,
                 "usage: image_fuzz [--write-corpus | --trust-checksums] CORPUS [MUTATIONS]\n");
    return 2;
  }
  if (write) {
    stillframe::WriteCorpus(arguments[0]);
    return 0;
  }
  const uint64_t mutations = arguments.size() > 1 ? std::stoull(arguments[1]) : 20000;
  return stillframe::Run(arguments[0], mutations, trust_checksums);
}
