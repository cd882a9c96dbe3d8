#include "evaluate/malloc_churn.h"

#include <malloc.h>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {
namespace {

// What stands at the start of each page of a block, and in its last word. Less than a whole page,
// so that a high rate of frees is not bounded by the filling.
uint64_t StampOf(uint64_t number, size_t offset) {
  return (number << 24) ^ (offset * 0x9e3779b97f4a7c15);
}

uint64_t* WordAt(std::byte* memory, size_t offset) {
  return reinterpret_cast<uint64_t*>(memory + offset);
}

size_t LastWord(size_t size) { return size - sizeof(uint64_t); }

}  // namespace

MallocChurn::MallocChurn(const Plan& plan, uint64_t seed) : plan_(plan), random_(seed) {
  mallopt(M_MMAP_THRESHOLD, 64 << 10);
  mallopt(M_MMAP_MAX, 1 << 16);
}

void MallocChurn::Prepare() {
  for (size_t i = 0; i < plan_.live_blocks; ++i) blocks_.push_back(Allocate());
}

MallocChurn::Block MallocChurn::Allocate() {
  Block block;
  const size_t span = plan_.largest - plan_.smallest;
  block.size = (plan_.smallest + random_.Below(span + 1)) & ~size_t{7};
  block.memory.reset(static_cast<std::byte*>(std::malloc(block.size)));
  if (block.memory == nullptr) FailCall("churn", "malloc");
  block.number = next_number_++;
  Stamp(block);
  return block;
}

void MallocChurn::Stamp(const Block& block) {
  for (size_t offset = 0; offset + sizeof(uint64_t) <= block.size; offset += kPageBytes) {
    *WordAt(block.memory.get(), offset) = StampOf(block.number, offset);
  }
  *WordAt(block.memory.get(), LastWord(block.size)) = StampOf(block.number, LastWord(block.size));
}

void MallocChurn::Check(const Block& block) {
  for (size_t offset = 0; offset + sizeof(uint64_t) <= block.size; offset += kPageBytes) {
    const uint64_t* word = WordAt(block.memory.get(), offset);
    if (*word != StampOf(block.number, offset)) {
      FailCheck("churn", "block " + std::to_string(block.number), word);
    }
  }
  const uint64_t* last = WordAt(block.memory.get(), LastWord(block.size));
  if (*last != StampOf(block.number, LastWord(block.size))) {
    FailCheck("churn", "end of block " + std::to_string(block.number), last);
  }
}

void MallocChurn::Step() {
  Block& block = blocks_[random_.Below(blocks_.size())];
  Check(block);
  block.memory.reset();
  block = Allocate();
}

void MallocChurn::CheckAll() {
  for (const Block& block : blocks_) Check(block);
}

void MallocChurn::Corrupt() {
  for (const Block& block : blocks_) *block.memory ^= std::byte{0x10};
}

}  // namespace stillframe::evaluate
