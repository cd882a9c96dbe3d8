// A TCP port of the loopback interface that nobody listens on.
#ifndef STILLFRAME_TESTS_SUPPORT_FREE_PORT_H_
#define STILLFRAME_TESTS_SUPPORT_FREE_PORT_H_

#include <cstdint>

namespace stillframe::test {

// Free a moment ago; the kernel hands the same one out again only after many others.
uint16_t FreeLoopbackPort();

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_FREE_PORT_H_
