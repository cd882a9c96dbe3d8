// Memory that this process and the children it forks see alike.
#ifndef STILLFRAME_EVALUATE_BENCH_SHARED_H_
#define STILLFRAME_EVALUATE_BENCH_SHARED_H_

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <utility>

#include "stillframe/units.h"

namespace stillframe::evaluate {

// Zero at first, and costs memory only where it is touched. Left out of every save (MADV_DONTDUMP):
// it is the measurement's, not the target's, and shared memory would be copied inside the pause.
// Throws std::bad_alloc, as any allocation does.
class SharedBytes {
 public:
  explicit SharedBytes(Bytes size) : size_(size.count) {
    void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    madvise(memory, size_, MADV_DONTDUMP);
    memory_ = static_cast<std::byte*>(memory);
  }
  SharedBytes(SharedBytes&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), size_(other.size_) {}
  SharedBytes& operator=(SharedBytes&&) = delete;
  ~SharedBytes() {
    if (memory_ != nullptr) munmap(memory_, size_);
  }

  std::byte* data() const { return memory_; }
  // All of it zero again, and its memory given back.
  void Clear() const { madvise(memory_, size_, MADV_REMOVE); }

 private:
  std::byte* memory_;
  size_t size_;
};

// An object in such memory. `T` holds no pointers to anything that is made later, and what both
// sides touch in it is atomic or a process-shared semaphore.
template <class T>
class SharedObject {
 public:
  SharedObject() : memory_(Bytes{sizeof(T)}), object_(new (memory_.data()) T()) {}
  ~SharedObject() { object_->~T(); }
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;

  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  SharedBytes memory_;
  T* object_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_BENCH_SHARED_H_
