#include "base/mapped_memory.h"

#include <sys/mman.h>

namespace stillframe {

MappedMemory::MappedMemory(Bytes size) : size_(size) {
  if (size.count == 0) return;
  void* address = mmap(nullptr, size.count, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(address);
}

MappedMemory::~MappedMemory() {
  if (data_ != nullptr) munmap(data_, size_.count);
}

void MappedMemory::Populate() {
  if (data_ == nullptr) return;
  // MADV_POPULATE_WRITE, 5.14; where it is missing each page is touched by hand.
  if (madvise(data_, size_.count, 23) == 0) return;
  for (uint64_t i = 0; i < size_.count; i += kPageSize.count) {
    *const_cast<volatile std::byte*>(data_ + i) = std::byte{0};
  }
}

void* InMappedMemory::operator new(size_t size) {
  void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  return mapped;
}

void InMappedMemory::operator delete(void* object, size_t size) { munmap(object, size); }

}  // namespace stillframe
