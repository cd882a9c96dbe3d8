#include "evaluate/page_pattern.h"

namespace stillframe::evaluate {
namespace {

constexpr size_t kWords = kPageBytes / sizeof(uint64_t);
constexpr size_t kHeaderWords = sizeof(PageHeader) / sizeof(uint64_t);

uint64_t Mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccd;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53;
  return x ^ (x >> 33);
}

uint64_t KeyOf(uint64_t seed, uint64_t identity, uint64_t generation) {
  return Mix(Mix(seed ^ identity) ^ generation);
}

// Not zero in the low bits for any word, so that no word of a page is like that of a hole for long.
uint64_t WordOf(uint64_t key, size_t word) { return key + word * 0x9e3779b97f4a7c15; }

}  // namespace

void FillPage(std::byte* page, uint64_t seed, uint64_t identity, uint64_t generation) {
  auto* words = reinterpret_cast<uint64_t*>(page);
  if (generation == 0) {
    for (size_t i = 0; i < kWords; ++i) words[i] = 0;
    return;
  }
  words[0] = kPageMagic;
  words[1] = identity;
  words[2] = generation;
  words[3] = seed;
  const uint64_t key = KeyOf(seed, identity, generation);
  for (size_t i = kHeaderWords; i < kWords; ++i) words[i] = WordOf(key, i);
}

std::optional<size_t> FindWrongWord(const std::byte* page, uint64_t seed, uint64_t identity,
                                    uint64_t generation) {
  const auto* words = reinterpret_cast<const uint64_t*>(page);
  if (generation == 0) {
    for (size_t i = 0; i < kWords; ++i) {
      if (words[i] != 0) return i * sizeof(uint64_t);
    }
    return std::nullopt;
  }
  const uint64_t header[kHeaderWords] = {kPageMagic, identity, generation, seed};
  for (size_t i = 0; i < kHeaderWords; ++i) {
    if (words[i] != header[i]) return i * sizeof(uint64_t);
  }
  const uint64_t key = KeyOf(seed, identity, generation);
  for (size_t i = kHeaderWords; i < kWords; ++i) {
    if (words[i] != WordOf(key, i)) return i * sizeof(uint64_t);
  }
  return std::nullopt;
}

}  // namespace stillframe::evaluate
