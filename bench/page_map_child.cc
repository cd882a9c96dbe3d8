#include "page_map_child.h"

#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "support/machine.h"
#include "support/shared_object.h"

namespace stillframe::bench {
namespace {

constexpr const char* kMostMappings = "/proc/sys/vm/max_map_count";
// What a process has besides.
constexpr uint64_t kOtherMappings = 1000;

struct Ready {
  Ready() { sem_init(&semaphore, 1, 0); }
  sem_t semaphore;
  int error = 0;
};

// While it lives a process may have so many mappings.
class RoomForMappings {
 public:
  explicit RoomForMappings(uint64_t mappings) {
    std::ifstream(kMostMappings) >> before_;
    const uint64_t needed = mappings + kOtherMappings;
    if (needed <= before_) return;
    raised_ = true;
    std::ofstream(kMostMappings) << needed;
  }
  ~RoomForMappings() {
    if (raised_) std::ofstream(kMostMappings) << before_;
  }
  RoomForMappings(const RoomForMappings&) = delete;
  RoomForMappings& operator=(const RoomForMappings&) = delete;

 private:
  uint64_t before_ = 0;
  bool raised_ = false;
};

std::byte* MapAt(std::byte* at, Bytes size, int more_rights) {
  void* mapped = mmap(at, size.count, PROT_READ | PROT_WRITE | more_rights,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (mapped != at) return nullptr;
  madvise(at, size.count, MADV_NOHUGEPAGE);
  return at;
}

void Fill(std::byte* at, Bytes size, uint64_t step) {
  for (uint64_t i = 0; i < size.count; i += step * kPageSize.count) at[i] = std::byte{1};
}

bool MapAll(std::byte* at, const MappingLayout& layout) {
  for (uint64_t i = 0; i < layout.mappings; ++i) {
    // No two neighbours are alike, or they would be one.
    if (MapAt(at, layout.each, i % 2 == 0 ? 0 : PROT_EXEC) == nullptr) return false;
    Fill(at, layout.each, layout.step);
    at += layout.each.count;
    if (layout.filled_gaps && layout.gap.count > 0) {
      if (MapAt(at, layout.gap, 0) == nullptr) return false;
      Fill(at, layout.gap, 1);
    }
    at += layout.gap.count;
  }
  return true;
}

}  // namespace

PageMapChild::PageMapChild(const MappingLayout& layout) {
  // Finds a place that is free here, and so in the child too.
  const uint64_t space = layout.mappings * (layout.each + layout.gap).count;
  void* place = mmap(nullptr, space, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) Die("finding addresses for the mappings");
  auto* begin = static_cast<std::byte*>(place);
  munmap(place, space);

  const SharedObject<Ready> ready;
  const RoomForMappings room(layout.mappings * (layout.filled_gaps ? 2 : 1));
  child_ = StartChild([&]() -> int {
    if (!MapAll(begin, layout)) ready->error = errno != 0 ? errno : EEXIST;
    sem_post(&ready->semaphore);
    for (;;) pause();
  });
  while (sem_wait(&ready->semaphore) != 0 && errno == EINTR) {
  }
  errno = ready->error;
  if (errno != 0) Die("laying out " + std::to_string(layout.mappings) + " mappings");

  pagemap_.reset(
      open(("/proc/" + std::to_string(child_->pid()) + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  if (!pagemap_) Die("opening the page map");
  TargetAddress at{reinterpret_cast<uint64_t>(begin)};
  for (uint64_t i = 0; i < layout.mappings; ++i) {
    mappings_.push_back({at, at + layout.each});
    at = at + layout.each + layout.gap;
  }
  pages_ = Pages{layout.mappings * ((layout.each.count / kPageSize.count - 1) / layout.step + 1)};
}

}  // namespace stillframe::bench
