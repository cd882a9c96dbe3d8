// Which page a writer of the bench writes next: the same pages in the same order for the same seed.
#ifndef STILLFRAME_EVALUATE_BENCH_SEQUENCE_H_
#define STILLFRAME_EVALUATE_BENCH_SEQUENCE_H_

#include <cstdint>
#include <memory>

#include "evaluate/page_pattern.h"

namespace stillframe::evaluate {

// How writes are spread over the pages.
enum class WriteSpread {
  kUniform,     // each page as likely as any other
  kZipf,        // some pages far more often than others, scattered over the memory
  kSequential,  // one after the other, round and round
};

// Thread rule: one thread.
class WriteSequence {
 public:
  virtual ~WriteSequence() = default;
  // From 0 to `pages` - 1.
  virtual uint64_t Next() = 0;
};

// `pages` at least 1.
std::unique_ptr<WriteSequence> MakeWriteSequence(WriteSpread spread, uint64_t pages, uint64_t seed);

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_SEQUENCE_H_
