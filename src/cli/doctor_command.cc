#include <sys/utsname.h>

#include <algorithm>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/kernel_probe.h"
#include "cli/option_parser.h"
#include "cli/stream.h"

namespace stillframe {
namespace {

std::string KernelRelease() {
  utsname name = {};
  return uname(&name) == 0 ? std::string(name.sysname) + " " + name.release : "unknown";
}

// 0 when all that is required is there; a permission is easier to get than a kernel, so it is told
// only when it is all.
int ExitCode(const std::vector<Feature>& features) {
  bool denied = false;
  for (const Feature& feature : features) {
    if (!feature.required || feature.state == FeatureState::kPresent) continue;
    if (feature.state == FeatureState::kMissing) return ExitCodeOf(ErrorCode::kUnsupported);
    denied = true;
  }
  return denied ? ExitCodeOf(ErrorCode::kPermission) : kExitDone;
}

std::string Verdict(int exit_code) {
  if (exit_code == kExitDone) return "all that is required is here\n";
  return exit_code == ExitCodeOf(ErrorCode::kPermission)
             ? "not permitted: something required is refused to this user\n"
             : "something required is missing: saving will not work\n";
}

std::string ToText(const std::vector<Feature>& features) {
  std::string text = "stillframe doctor on " + KernelRelease() + "\n";
  size_t width = 0;
  for (const Feature& feature : features) width = std::max(width, feature.name.size());
  for (const Feature& feature : features) {
    text += "  " + std::string(FeatureStateName(feature.state)) + "  " +
            (feature.required ? "required  " : "optional  ") + feature.name +
            std::string(width - feature.name.size() + 2, ' ') + feature.use;
    if (!feature.detail.empty()) text += " (" + feature.detail + ")";
    text += "\n";
    if (feature.state != FeatureState::kPresent) text += "           fix: " + feature.fix + "\n";
  }
  return text + Verdict(ExitCode(features));
}

Json ToJson(const std::vector<Feature>& features) {
  Json list = Json::array();
  for (const Feature& feature : features) {
    const bool present = feature.state == FeatureState::kPresent;
    list.push_back({{"name", feature.name},
                    {"required", feature.required},
                    {"state", FeatureStateName(feature.state)},
                    {"use", feature.use},
                    {"detail", feature.detail},
                    {"fix", present ? "" : feature.fix}});
  }
  Json report = JsonReport("doctor");
  report["kernel"] = KernelRelease();
  report["ok"] = ExitCode(features) == kExitDone;
  report["features"] = std::move(list);
  return report;
}

}  // namespace

int RunDoctor(const std::vector<std::string>& arguments) {
  OptionParser parser("doctor", "", "Tries each kernel feature and permission that is needed.");
  const bool& json = parser.AddFlag("json", 0, "One JSON object on stdout");
  const auto positionals = parser.Parse(arguments, 0);
  if (!positionals) return EndWithError("doctor", positionals.error(), WantsJson(arguments));
  if (parser.help_wanted()) return EndWithReport("doctor", parser.Help());

  const std::vector<Feature> features = ProbeKernel();
  const int printed =
      EndWithReport("doctor", json ? DumpJson(ToJson(features)) + "\n" : ToText(features));
  return printed != 0 ? printed : ExitCode(features);
}

}  // namespace stillframe
