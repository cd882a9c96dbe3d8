// Allocates and frees blocks large enough that each one is a mapping of its own.
#ifndef STILLFRAME_EVALUATE_MALLOC_CHURN_H_
#define STILLFRAME_EVALUATE_MALLOC_CHURN_H_

#include <cstdlib>
#include <memory>
#include <vector>

#include "evaluate/activity.h"
#include "evaluate/page_pattern.h"

namespace stillframe::evaluate {

class MallocChurn final : public Activity {
 public:
  struct Plan {
    size_t smallest = size_t{64} << 10;  // bytes
    size_t largest = size_t{4} << 20;
    size_t live_blocks = 32;  // how many there are at any time
  };

  // Fixes malloc's mmap threshold at 64 KiB, or frees would stop unmapping after a while.
  MallocChurn(const Plan& plan, uint64_t seed);

  void Prepare() override;
  // One free and one malloc.
  void Step() override;
  void CheckAll() override;
  void Corrupt() override;

 private:
  struct Free {
    void operator()(std::byte* block) const { std::free(block); }
  };
  struct Block {
    std::unique_ptr<std::byte, Free> memory;
    size_t size = 0;
    uint64_t number = 0;
  };

  Block Allocate();
  static void Stamp(const Block& block);
  static void Check(const Block& block);

  const Plan plan_;
  Random random_;
  uint64_t next_number_ = 1;
  std::vector<Block> blocks_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_MALLOC_CHURN_H_
