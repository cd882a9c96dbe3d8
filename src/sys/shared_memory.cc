#include "sys/shared_memory.h"

#include <sys/mman.h>

#include <cerrno>

namespace stillframe {

Result<SharedMemory> SharedMemory::Make(Bytes size) {
  void* address =
      mmap(nullptr, size.count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return FailErrno(errno, "mapping shared memory");
  SharedMemory memory;
  memory.data_ = address;
  memory.size_ = size;
  return memory;
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) munmap(data_, size_.count);
}

}  // namespace stillframe
