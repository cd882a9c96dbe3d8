// What the policies share.
#ifndef STILLFRAME_THROTTLE_POLICIES_H_
#define STILLFRAME_THROTTLE_POLICIES_H_

#include <limits>

#include "stillframe/units.h"

namespace stillframe {

// As much as fits one run; the saver cuts it to its own buffers.
inline constexpr Pages kUnlimitedPush{std::numeric_limits<uint64_t>::max()};
// A forced run is an ordinary one: smaller would only prolong the save that the target suffers
// from.
inline constexpr Pages kForcedPush = kUnlimitedPush;

}  // namespace stillframe

#endif  // STILLFRAME_THROTTLE_POLICIES_H_
