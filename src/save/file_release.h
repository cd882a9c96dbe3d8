// Lets go of private mappings of files that were watched.
#ifndef STILLFRAME_SAVE_FILE_RELEASE_H_
#define STILLFRAME_SAVE_FILE_RELEASE_H_

#include <functional>

#include "fault/fault_channel.h"
#include "stillframe/target.h"
#include "stillframe/units.h"

namespace stillframe {

// Unregisters the private mappings of files for which `is_ours` holds, wherever they are by now,
// each of them whole: of one that is unregistered bit by bit the target could not move or grow all
// (mremap(2) refuses a range that lies in two mappings). The kernel walks its page tables, 20 to 40
// ms for each GiB of pages, with the target's mmap lock held.
//
// What fails is left to the close of the userfaultfd.
void ReleaseFiles(const Target& target, const FaultChannel& channel,
                  const std::function<bool(AddressRange)>& is_ours);

}  // namespace stillframe

#endif  // STILLFRAME_SAVE_FILE_RELEASE_H_
