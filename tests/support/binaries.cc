#include "support/binaries.h"

namespace stillframe::test {

std::string Binary(const std::string& name) { return STILLFRAME_BINARY_DIR "/" + name; }

std::string TestTarget(const std::string& name) { return STILLFRAME_TESTS_DIR "/targets/" + name; }

}  // namespace stillframe::test
