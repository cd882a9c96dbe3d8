#include "evaluate/mapped_memory.h"

#include <sys/mman.h>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {
namespace {

MappedMemory Map(size_t size, int protection, int flags, int fd) {
  void* memory = mmap(nullptr, size, protection, flags, fd, 0);
  if (memory == MAP_FAILED) FailCall("memory", "mmap");
  return {static_cast<std::byte*>(memory), size};
}

}  // namespace

MappedMemory& MappedMemory::operator=(MappedMemory&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(size_, other.size_);
  return *this;
}

MappedMemory::~MappedMemory() {
  if (memory_ != nullptr) munmap(memory_, size_);
}

MappedMemory MappedMemory::Anonymous(size_t size) {
  return Map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

MappedMemory MappedMemory::SharedAnonymous(size_t size) {
  return Map(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
}

MappedMemory MappedMemory::OfFile(int fd, size_t size, int flags) {
  return Map(size, PROT_READ | PROT_WRITE, flags, fd);
}

void MappedMemory::Resize(size_t size) {
  void* memory = mremap(memory_, size_, size, MREMAP_MAYMOVE);
  if (memory == MAP_FAILED) FailCall("memory", "mremap");
  memory_ = static_cast<std::byte*>(memory);
  size_ = size;
}

void MappedMemory::Move() {
  // Reserves a place of the right size, which the mapping then takes.
  void* place = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) FailCall("memory", "mmap");
  if (mremap(memory_, size_, size_, MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED) {
    FailCall("memory", "mremap to a fixed address");
  }
  memory_ = static_cast<std::byte*>(place);
}

}  // namespace stillframe::evaluate
