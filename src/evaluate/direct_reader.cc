#include "evaluate/direct_reader.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {

DirectReader::DirectReader(size_t buffers, const ScratchFile& file, UniqueFd direct, uint64_t seed)
    : file_(file),
      direct_(std::move(direct)),
      memory_(MappedMemory::Anonymous(buffers * kRunPages * kPageBytes)),
      holds_(buffers, 0),
      random_(seed) {}

void DirectReader::Prepare() {
  for (size_t i = 0; i < holds_.size(); ++i) Read(i);
}

void DirectReader::Read(size_t i) {
  const size_t page = random_.Below(file_.pages() - kRunPages);
  ssize_t n = 0;
  do {
    n = pread(direct_.get(), Buffer(i), kRunPages * kPageBytes,
              static_cast<off_t>(page * kPageBytes));
  } while (n < 0 && errno == EINTR);
  if (n != static_cast<ssize_t>(kRunPages * kPageBytes)) FailCall("direct", "pread with O_DIRECT");
  holds_[i] = page;
}

void DirectReader::Check(size_t i) const {
  for (size_t k = 0; k < kRunPages; ++k) {
    file_.CheckPage("direct", holds_[i] + k, Buffer(i) + k * kPageBytes);
  }
}

void DirectReader::Step() {
  const size_t i = random_.Below(holds_.size());
  Check(i);
  Read(i);
  Check(i);
}

void DirectReader::CheckAll() {
  for (size_t i = 0; i < holds_.size(); ++i) Check(i);
}

void DirectReader::Corrupt() {
  for (size_t i = 0; i < holds_.size(); ++i) Buffer(i)[kPageBytes + 9] ^= std::byte{0x10};
}

}  // namespace stillframe::evaluate
