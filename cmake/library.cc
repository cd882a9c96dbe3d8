// The merged library has no source of its own; some generators want one.
#include "stillframe/version.h"

namespace stillframe {
extern const char kLibraryVersion[];
const char kLibraryVersion[] = STILLFRAME_VERSION;
}  // namespace stillframe
