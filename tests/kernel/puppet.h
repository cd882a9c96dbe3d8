// A child process that does to its memory what a test tells it to, one step at a time.
#ifndef STILLFRAME_TESTS_KERNEL_PUPPET_H_
#define STILLFRAME_TESTS_KERNEL_PUPPET_H_

#include <sys/types.h>

#include <cstdint>

#include "base/unique_fd.h"
#include "stillframe/units.h"

namespace stillframe {

// Has `pages` pages of private anonymous memory; page i is filled with byte 'a' + i % 26 but for
// those left as holes.
class Puppet {
 public:
  enum class Order : uint8_t {
    kWrite,
    kWriteAside,  // by a thread of its own; done once that was started
    kDiscard,
    kFree,
    kUnmap,
    kMove,
    kMapOver,  // new memory over the old, its first page written
    kHuge,     // transparent huge pages, please
    kGuard,
    kUnguard,
    kMergeable,
    kReadOnly,
    kExit,
    kExec
  };

  Puppet(uint64_t pages, uint64_t holes_from);
  // Kills the child.
  ~Puppet();

  pid_t pid() const { return pid_; }
  AddressRange range() const { return range_; }
  TargetAddress Page(uint64_t number) const { return range_.begin + kPageSize * number; }

  // Tells it to begin; the order may block inside the kernel until its event is read.
  void Tell(Order order, uint64_t page, uint64_t pages = 1, TargetAddress to = {});
  // True when it is done with the last order.
  bool Done();
  // Where a move went.
  TargetAddress moved_to() const { return moved_to_; }

 private:
  struct Message {
    Order order;
    uint64_t begin;
    uint64_t size;
    uint64_t to;
  };
  [[noreturn]] static void Obey(int orders, int answers);
  static uint64_t Do(const Message& message);

  pid_t pid_ = 0;
  AddressRange range_;
  UniqueFd orders_;
  UniqueFd answers_;
  TargetAddress moved_to_;
};

}  // namespace stillframe

#endif  // STILLFRAME_TESTS_KERNEL_PUPPET_H_
