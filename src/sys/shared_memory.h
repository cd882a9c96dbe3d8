// Memory that a process shares with those it forks.
#ifndef STILLFRAME_SYS_SHARED_MEMORY_H_
#define STILLFRAME_SYS_SHARED_MEMORY_H_

#include <cstddef>
#include <new>
#include <utility>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// A shared anonymous mapping, zero at first. Pages cost memory only once they are touched.
class SharedMemory {
 public:
  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, Bytes{0})) {}
  SharedMemory& operator=(SharedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~SharedMemory();

  static Result<SharedMemory> Make(Bytes size);

  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  Bytes size_{0};
};

// A T in such memory. It is never destroyed, only unmapped.
template <class T>
class Shared {
 public:
  static Result<Shared> Make() {
    static_assert(std::is_trivially_destructible_v<T>);
    Shared shared;
    STILLFRAME_ASSIGN(shared.memory_, SharedMemory::Make(Bytes{sizeof(T)}));
    new (shared.memory_.data()) T;
    return shared;
  }

  T* get() const { return static_cast<T*>(memory_.data()); }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }

 private:
  SharedMemory memory_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SYS_SHARED_MEMORY_H_
