#include "evaluate/random_writer.h"

namespace stillframe::evaluate {

RandomWriter::RandomWriter(std::byte* memory, size_t pages, uint64_t seed)
    : pages_("random", memory, pages, seed), random_(seed) {}

void RandomWriter::Prepare() {
  for (size_t i = 0; i < pages_.size(); ++i) pages_.Write(i);
}

void RandomWriter::Step() {
  const size_t i = random_.Below(pages_.size());
  pages_.Check(i);
  pages_.Write(i);
}

}  // namespace stillframe::evaluate
