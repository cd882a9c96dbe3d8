#include "evaluate/constant_pages.h"

#include <sys/mman.h>

#include <cstring>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {
namespace {

void Protect(std::byte* memory, size_t size, int protection) {
  if (mprotect(memory, size, protection) != 0) FailCall("constant", "mprotect");
}

// Every second page of the private file mapping is written, so that it is part file, part memory.
constexpr std::byte kWritten{0xa5};
constexpr size_t kWrittenAt = 100;

}  // namespace

ConstantPages::ConstantPages(size_t pages, const ScratchFile& file, uint64_t seed)
    : file_(file),
      read_only_memory_(MappedMemory::Anonymous(pages * kPageBytes)),
      hidden_memory_(MappedMemory::Anonymous(pages * kPageBytes)),
      of_file_(MappedMemory::OfFile(file.fd(), pages * kPageBytes, MAP_PRIVATE)),
      read_only_("constant read-only", read_only_memory_.data(), pages, seed),
      hidden_("constant hidden", hidden_memory_.data(), pages, seed + 1),
      random_(seed) {}

void ConstantPages::Prepare() {
  for (size_t i = 0; i < read_only_.size(); ++i) {
    read_only_.Write(i);
    hidden_.Write(i);
    if (i % 2 == 0) of_file_.data()[i * kPageBytes + kWrittenAt] = kWritten;
  }
  Protect(read_only_memory_.data(), read_only_memory_.size(), PROT_READ);
  Protect(hidden_memory_.data(), hidden_memory_.size(), PROT_NONE);
}

void ConstantPages::CheckHidden(size_t i) {
  Protect(hidden_.page(i), kPageBytes, PROT_READ);
  hidden_.Check(i);
  Protect(hidden_.page(i), kPageBytes, PROT_NONE);
}

void ConstantPages::CheckOfFile(size_t i) const {
  alignas(sizeof(uint64_t)) std::byte expected[kPageBytes];
  file_.ExpectedPage(i, expected);
  if (i % 2 == 0) expected[kWrittenAt] = kWritten;
  const std::byte* page = of_file_.data() + i * kPageBytes;
  if (std::memcmp(page, expected, kPageBytes) != 0) {
    FailCheck("constant", "private page of a file", page);
  }
}

void ConstantPages::Step() {
  const size_t i = random_.Below(read_only_.size());
  read_only_.Check(i);
  CheckHidden(i);
  CheckOfFile(i);
}

void ConstantPages::CheckAll() {
  read_only_.CheckAll();
  for (size_t i = 0; i < hidden_.size(); ++i) {
    CheckHidden(i);
    CheckOfFile(i);
  }
}

void ConstantPages::Corrupt() {
  Protect(read_only_memory_.data(), read_only_memory_.size(), PROT_READ | PROT_WRITE);
  for (size_t i = 0; i < read_only_.size(); ++i) read_only_.Corrupt(i);
  Protect(read_only_memory_.data(), read_only_memory_.size(), PROT_READ);
}

}  // namespace stillframe::evaluate
