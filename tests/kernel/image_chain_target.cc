#include "image_chain_target.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "base/unique_fd.h"
#include "image/coverage.h"

namespace stillframe::test {
namespace {

using Random = std::mt19937_64;

// The target's memory, changed as it is told to.
class Memory {
 public:
  explicit Memory(char* begin) : begin_(begin) {
    mapped_.fill(true);
    for (size_t part = 1; part < kParts; part += 2) Unmap(FirstOf(part), kPartPages);
  }

  void Change(Op op, uint64_t seed) {
    Random random(seed);
    const size_t count = 1 + random() % 20;
    const size_t first = random() % (kPages - count);
    const size_t part = random() % kParts;
    if (op == Op::kUnmap) Unmap(std::max(first, kBusyPages), count);
    if (op == Op::kMap) Map(part, random() % 4 == 0 ? MAP_SHARED : MAP_PRIVATE);
    if (op == Op::kMove) Move(part, random() % kParts);
    for (size_t i = first; op <= Op::kDiscard && i < first + count; ++i) {
      if (!mapped_[i]) continue;
      if (op == Op::kZero) std::memset(At(i), 0, kPage);
      if (op == Op::kDiscard) madvise(At(i), kPage, MADV_DONTNEED);
      if (op == Op::kWrite) Fill(i, random);
    }
  }

 private:
  static size_t FirstOf(size_t part) { return kBusyPages + part * kPartPages; }
  char* At(size_t page) const { return begin_ + page * kPage; }

  // Some get smaller when they are encoded, some do not.
  void Fill(size_t page, Random& random) const {
    const size_t fresh = random() % 3 == 0 ? 1 : 64;
    uint64_t word = 0;
    for (size_t i = 0; i < kPage / sizeof(word); ++i) {
      if (i % fresh == 0) word = random();
      std::memcpy(At(page) + i * sizeof(word), &word, sizeof(word));
    }
  }
  void Unmap(size_t first, size_t count) {
    for (size_t i = first; i < std::min(first + count, kPages); ++i) {
      if (mapped_[i]) munmap(At(i), kPage);
      mapped_[i] = false;
    }
  }
  void Map(size_t part, int sharing) {
    Unmap(FirstOf(part), kPartPages);
    // Somebody else's memory may have come to a hole.
    void* at = mmap(At(FirstOf(part)), kPartPages * kPage, PROT_READ | PROT_WRITE,
                    sharing | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (at != MAP_FAILED) std::fill_n(&mapped_[FirstOf(part)], kPartPages, true);
  }
  // To an address that had other pages.
  void Move(size_t from, size_t to) {
    const auto is_mapped = [this](size_t part) {
      return std::all_of(&mapped_[FirstOf(part)], &mapped_[FirstOf(part)] + kPartPages,
                         [](bool mapped) { return mapped; });
    };
    if (from == to || !is_mapped(from) || !is_mapped(to)) return;
    void* at = mremap(At(FirstOf(from)), kPartPages * kPage, kPartPages * kPage,
                      MREMAP_MAYMOVE | MREMAP_FIXED, At(FirstOf(to)));
    if (at != MAP_FAILED) std::fill_n(&mapped_[FirstOf(from)], kPartPages, false);
  }

  char* const begin_;
  std::array<bool, kPages> mapped_;
};

// Terabytes that AddressSanitizer reserves would make each save take seconds.
void LeaveOutReserved() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uint64_t begin = 0;
    uint64_t end = 0;
    std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &begin, &end);
    if (end - begin < GiB(1).count) continue;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTDUMP);
  }
}

}  // namespace

void LiveAsAsked(Board& board, char* begin) {
  LeaveOutReserved();
  std::thread([&board, begin] {
    for (Random random(1);; ++board.progress) {
      if (board.value[kBusy] == 0 || board.progress % 64 == 0) usleep(50);
      if (board.value[kBusy] == 0) continue;
      char* page = begin + random() % (kBusyPages - 4) * kPage;
      const uint64_t value = random() % 4 == 0 ? 0 : random();
      std::memcpy(page + random() % (kPage / 8) * 8, &value, sizeof(value));
      if (random() % 64 == 0) madvise(page, 4 * kPage, MADV_DONTNEED);
    }
  }).detach();
  Memory memory(begin);
  for (board.ready = 1;; usleep(20)) {
    if (board.value[kAsked] == board.value[kDone]) continue;
    memory.Change(static_cast<Op>(board.value[kOp].load()),
                  static_cast<uint64_t>(board.value[kSeed]));
    board.value[kDone] = board.value[kAsked].load();
  }
}

void CopyMemory(pid_t pid, AddressRange memory, Oracle* to) {
  const std::string process = "/proc/" + std::to_string(pid);
  const UniqueFd pagemap(open((process + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  std::ifstream maps(process + "/maps");
  for (std::string line; std::getline(maps, line);) {
    AddressRange range;
    std::array<char, 5> flags{};
    std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s", &range.begin.value, &range.end.value,
                flags.data());
    range = Intersect(range, memory);
    for (TargetAddress at = range.begin; at < range.end; at = at + kPageSize) {
      uint64_t entry = 0;
      EXPECT_EQ(pread(pagemap.get(), &entry, 8, static_cast<off_t>(at.value / kPage * 8)), 8);
      std::string& page = to->pages[at.value] = std::string(kPage, '\0');
      const bool there = (entry >> 62) != 0;  // present, or swapped
      if (!there && flags[3] != 's') continue;
      const iovec local{.iov_base = page.data(), .iov_len = kPage};
      const iovec remote{.iov_base = reinterpret_cast<void*>(at.value), .iov_len = kPage};
      EXPECT_EQ(process_vm_readv(pid, &local, 1, &remote, 1, 0), static_cast<ssize_t>(kPage));
    }
  }
}

}  // namespace stillframe::test
