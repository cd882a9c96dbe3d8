// A page in a file through which others see how far the workload is, without asking it.
#ifndef STILLFRAME_EVALUATE_STATUS_PAGE_H_
#define STILLFRAME_EVALUATE_STATUS_PAGE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "evaluate/mapped_memory.h"

namespace stillframe::evaluate {

inline constexpr uint64_t kStatusMagic = 0x0031'7375'7461'7453;  // "Status1"

// One thread of the workload.
struct StatusSlot {
  char name[24];                // NUL-terminated, "random", "churn", ...
  std::atomic<uint64_t> steps;  // done so far
};
static_assert(sizeof(StatusSlot) == 32);

// The whole file.
struct StatusRecord {
  uint64_t magic;
  uint64_t pid;
  std::atomic<uint64_t> slot_count;  // written after the slots' names
  uint64_t reserved;
  StatusSlot slots[127];
};
static_assert(sizeof(StatusRecord) == 4096);

// Thread rule: Add on one thread; a slot's counter by its owner, read by anyone.
class StatusPage {
 public:
  // Creates the file, or none for an empty path. Ends the process when it can't.
  explicit StatusPage(const std::string& path);

  // Lives as long as this. At most 127.
  StatusSlot& Add(std::string_view name);
  const StatusRecord& record() const { return *record_; }

 private:
  MappedMemory memory_;
  StatusRecord* record_;
};

}  // namespace stillframe::evaluate

#endif  // STILLFRAME_EVALUATE_STATUS_PAGE_H_
