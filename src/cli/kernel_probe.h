// What of the kernel is there for us. Each thing is tried, never concluded from a version.
#ifndef STILLFRAME_CLI_KERNEL_PROBE_H_
#define STILLFRAME_CLI_KERNEL_PROBE_H_

#include <string>
#include <string_view>
#include <vector>

namespace stillframe {

enum class FeatureState {
  kPresent,
  kMissing,  // the kernel doesn't have it
  kDenied,   // it may, but not for us
};
std::string_view FeatureStateName(FeatureState state);

struct Feature {
  std::string name = {};
  bool required = false;  // without it no save works
  FeatureState state = FeatureState::kMissing;
  std::string use = {};     // what it is needed for
  std::string detail = {};  // what was seen; may be empty
  std::string fix = {};     // what to do when it isn't present
};

// present for 0, denied for EPERM and EACCES, else missing; `detail` becomes errno's text.
void SetOutcome(Feature& feature, int error);

// All of them, in the order they are shown. Forks a short-lived child to be traced. Single-threaded
// callers only.
std::vector<Feature> ProbeKernel();

// The parts of it.
std::vector<Feature> ProbeUserfaultfd();
std::vector<Feature> ProbeOtherProcess();

}  // namespace stillframe

#endif  // STILLFRAME_CLI_KERNEL_PROBE_H_
