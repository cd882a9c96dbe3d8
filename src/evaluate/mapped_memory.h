// Owns a mapping of this process.
#ifndef STILLFRAME_EVALUATE_MAPPED_MEMORY_H_
#define STILLFRAME_EVALUATE_MAPPED_MEMORY_H_

#include <cstddef>
#include <utility>

namespace stillframe::evaluate {

class MappedMemory {
 public:
  MappedMemory() = default;
  // Takes over `size` bytes (whole pages) at `memory`.
  MappedMemory(std::byte* memory, size_t size) : memory_(memory), size_(size) {}
  MappedMemory(MappedMemory&& other) noexcept { *this = std::move(other); }
  MappedMemory& operator=(MappedMemory&& other) noexcept;
  ~MappedMemory();

  // Private and anonymous, readable and writable. Ends the process where there is no memory.
  static MappedMemory Anonymous(size_t size);
  // Shared and anonymous.
  static MappedMemory SharedAnonymous(size_t size);
  // `size` bytes of `fd` from its start on, with the MAP_ flags given.
  static MappedMemory OfFile(int fd, size_t size, int flags);

  std::byte* data() const { return memory_; }
  size_t size() const { return size_; }

  // mremap(2); the mapping may move. Ends the process when it fails.
  void Resize(size_t size);
  // Moves the mapping to an address of the kernel's choice, which is never its present one.
  void Move();

 private:
  std::byte* memory_ = nullptr;
  size_t size_ = 0;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_MAPPED_MEMORY_H_
