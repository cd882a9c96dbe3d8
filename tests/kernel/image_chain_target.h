// A target for random sequences of saves: memory that comes, goes, moves and is written all the
// time, and a second copy of it.
#ifndef STILLFRAME_TESTS_KERNEL_IMAGE_CHAIN_TARGET_H_
#define STILLFRAME_TESTS_KERNEL_IMAGE_CHAIN_TARGET_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "attach_child.h"
#include "stillframe/units.h"

namespace stillframe::test {

constexpr size_t kPage = kPageSize.count;
// Always mapped, and written all the time; behind it parts that come, go and move.
constexpr size_t kBusyPages = 160;
constexpr size_t kParts = 8;
constexpr size_t kPartPages = 24;
constexpr size_t kPages = kBusyPages + kParts * kPartPages;

enum class Op : int64_t { kWrite, kZero, kDiscard, kMap, kUnmap, kMove };
constexpr uint64_t kOps = 6;
// What stands in Board::value.
enum { kAsked, kDone, kOp, kSeed, kBusy };

// The target: one thread writes as fast as it can to `begin`, one does what the board asks for.
// Never returns.
void LiveAsAsked(Board& board, char* begin);

// What an image has to hold.
struct Oracle {
  std::map<uint64_t, std::string> pages;
  std::set<uint64_t> lost;  // instead of it, as a save by write protection may
};

// Copies the memory of a target that stands still. Private pages that are not there are not looked
// at, so that no hole becomes one by that.
void CopyMemory(pid_t pid, AddressRange memory, Oracle* to);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_KERNEL_IMAGE_CHAIN_TARGET_H_
