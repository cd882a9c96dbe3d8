// An object that this process and the children it forks see alike.
#ifndef STILLFRAME_BENCH_SUPPORT_SHARED_OBJECT_H_
#define STILLFRAME_BENCH_SUPPORT_SHARED_OBJECT_H_

#include <sys/mman.h>

#include <new>

#include "support/machine.h"

namespace stillframe::bench {

// Left out of every save (MADV_DONTDUMP): it is the measurement's, not the target's. `T` holds no
// pointers to anything that is made later, and what both sides touch in it is atomic or a
// process-shared semaphore.
template <class T>
class SharedObject {
 public:
  SharedObject() {
    void* memory =
        mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) Die("mapping shared memory");
    madvise(memory, sizeof(T), MADV_DONTDUMP);
    object_ = new (memory) T();
  }
  ~SharedObject() {
    object_->~T();
    munmap(object_, sizeof(T));
  }
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;

  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  T* object_;
};

}  // namespace stillframe::bench

#endif  // STILLFRAME_BENCH_SUPPORT_SHARED_OBJECT_H_
