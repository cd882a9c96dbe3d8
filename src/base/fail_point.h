// Named steps that the tests kill us at, to see what the target is left with. Compiled away unless
// STILLFRAME_FAIL_POINTS is set.
//
//   STILLFRAME_FAIL_POINT=NAME:N   SIGKILL for the command at the Nth time (from 1) that step NAME
//   was just done STILLFRAME_FAIL_TRACE=FILE     append the name of each step as it is done, a line
//   each
//
// A step in a helper process kills the command, not the helper: it is the command whose death has
// to be survived.
#ifndef STILLFRAME_BASE_FAIL_POINT_H_
#define STILLFRAME_BASE_FAIL_POINT_H_

#include <string_view>

namespace stillframe {

#ifdef STILLFRAME_FAIL_POINTS
// To be called once before any helper is forked or thread started: counters are shared with
// children from then on.
void InitFailPoints();
// No allocation. Any thread.
void FailPoint(std::string_view name);
#else
inline void InitFailPoints() {}
inline void FailPoint(std::string_view) {}
#endif

}  // namespace stillframe

#endif  // STILLFRAME_BASE_FAIL_POINT_H_
