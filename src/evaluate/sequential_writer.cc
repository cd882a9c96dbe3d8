#include "evaluate/sequential_writer.h"

namespace stillframe::evaluate {

SequentialWriter::SequentialWriter(std::byte* memory, size_t pages, uint64_t seed)
    : pages_("sequential", memory, pages, seed) {}

void SequentialWriter::Prepare() {
  for (size_t i = 0; i < pages_.size(); ++i) pages_.Write(i);
}

void SequentialWriter::Step() {
  pages_.Check(next_);
  pages_.Write(next_);
  next_ = (next_ + 1) % pages_.size();
}

}  // namespace stillframe::evaluate
