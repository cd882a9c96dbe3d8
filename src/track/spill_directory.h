// The directory in which the spill file is made.
#ifndef STILLFRAME_TRACK_SPILL_DIRECTORY_H_
#define STILLFRAME_TRACK_SPILL_DIRECTORY_H_

#include <string>

#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

struct SpillDirectory {
  std::string path;
  Bytes free;  // what we may still write there
};

// `named`: what the user named; empty: /var/tmp. One that is in memory itself (tmpfs, ramfs) is
// refused with kUsage unless it was named, since what is spilled there would save no memory. That a
// file system of another kind lies in memory all the same (an overlay over a tmpfs) is not seen.
// Other errors: kOutput, kPermission.
Result<SpillDirectory> FindSpillDirectory(const std::string& named);

// The bound where the user set none: no more than there is to be saved, and never more than half of
// what is free, since others need space there too.
Bytes DefaultSpillLimit(Bytes to_save, Bytes free);

}  // namespace stillframe

#endif  // STILLFRAME_TRACK_SPILL_DIRECTORY_H_
