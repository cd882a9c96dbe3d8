// Memory that is ours alone: outside the heap, so that it stays writable while one's own heap is
// write-protected.
#ifndef STILLFRAME_BASE_MAPPED_MEMORY_H_
#define STILLFRAME_BASE_MAPPED_MEMORY_H_

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "stillframe/units.h"

namespace stillframe {

// A private anonymous mapping, zero at first. Pages cost memory only once they are touched.
// Throws std::bad_alloc, as any allocation does.
class MappedMemory {
 public:
  MappedMemory() = default;
  explicit MappedMemory(Bytes size);
  MappedMemory(MappedMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, Bytes{0})) {}
  MappedMemory& operator=(MappedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedMemory();

  std::byte* data() const { return data_; }
  Bytes size() const { return size_; }
  // Touches every page now, so that no later write can wait for memory.
  void Populate();

 private:
  std::byte* data_ = nullptr;
  Bytes size_{0};
};

// Objects of classes that derive from this are each made in a mapping of its own by `new`, and so
// are nowhere in the heap: what is written to them while that is being saved is no change of it.
struct InMappedMemory {
  static void* operator new(size_t size);
  static void operator delete(void* object, size_t size);
};

// A fixed array of a trivially destructible T in mapped memory, zero-initialised.
template <class T>
class MappedArray {
 public:
  MappedArray() = default;
  explicit MappedArray(size_t size) : memory_(Bytes{size * sizeof(T)}), size_(size) {}

  T* data() const { return reinterpret_cast<T*>(memory_.data()); }
  size_t size() const { return size_; }
  // As MappedMemory's.
  void Populate() { memory_.Populate(); }
  T& operator[](size_t i) const { return data()[i]; }
  T* begin() const { return data(); }
  T* end() const { return data() + size_; }

 private:
  MappedMemory memory_;
  size_t size_ = 0;
};

// An object of its own mapping, owned.
template <class T>
struct MappedDelete {
  MappedMemory memory;
  void operator()(T* object) const { object->~T(); }
};
template <class T>
using MappedPtr = std::unique_ptr<T, MappedDelete<T>>;

template <class T, class... Args>
MappedPtr<T> MakeMapped(Args&&... args) {
  MappedMemory memory(Bytes{sizeof(T)});
  T* object = new (memory.data()) T(std::forward<Args>(args)...);
  return MappedPtr<T>(object, MappedDelete<T>{std::move(memory)});
}

}  // namespace stillframe

#endif  // STILLFRAME_BASE_MAPPED_MEMORY_H_
