// Where pages go that find no room in memory.
#ifndef STILLFRAME_TRACK_SPILL_FILE_H_
#define STILLFRAME_TRACK_SPILL_FILE_H_

#include <sys/uio.h>

#include <memory>
#include <span>
#include <string>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// Bytes at offsets. An interface, so that tests can have a device that stalls, fails or lies.
//
// Thread rule: Write by one thread, Read by one other, GiveBack by one of them at a time, never of
// a range that is being read or written. Nothing here allocates unless it fails.
class SpillFile {
 public:
  SpillFile() = default;
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;
  virtual ~SpillFile() = default;

  // All of `pages`, one behind the other from `offset` on; at most IOV_MAX parts. May wait for the
  // device as long as that takes. kOutput.
  virtual Result<void> Write(Bytes offset, std::span<const iovec> pages) = 0;
  // What was written there. kOutput.
  virtual Result<void> Read(Bytes offset, std::span<std::byte> to) = 0;
  // Nobody needs what is there any more: its space may be used for something else.
  virtual void GiveBack(Bytes offset, Bytes size) = 0;
};

// An unnamed file in `directory`, mode 0600: whatever ends us, it goes with us. Errors: kOutput,
// kPermission.
Result<std::unique_ptr<SpillFile>> CreateSpillFile(const std::string& directory);

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_SPILL_FILE_H_
