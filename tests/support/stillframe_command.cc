#include "support/stillframe_command.h"

#include "support/binaries.h"
#include "support/files.h"

namespace stillframe::test {
namespace {

using nlohmann::json;

// "" or "NAME is missing or not a number".
std::string WantNumbers(const json& object, const std::string& path,
                        const std::vector<std::string>& names) {
  if (!object.is_object()) return path + " is no object";
  for (const std::string& name : names) {
    if (!object.contains(name) || !object[name].is_number_unsigned()) {
      return path + "." + name + " is missing or no unsigned number";
    }
  }
  return "";
}

std::string WantRanges(const json& summary, const std::string& name) {
  if (!summary.contains(name) || !summary[name].is_array()) return name + " is no list";
  for (const json& range : summary[name]) {
    for (const char* field : {"begin", "end", "reason"}) {
      if (!range.contains(field)) return name + " has an entry without " + field;
    }
  }
  return "";
}

std::string WrongSums(const json& summary) {
  const json& pages = summary["pages"];
  uint64_t sum = 0;
  for (const char* kind : {"zero", "scanned", "faulted", "paused", "lost", "in_parent"}) {
    sum += pages[kind].get<uint64_t>();
  }
  if (sum != pages["total"].get<uint64_t>()) return "pages.total is not the sum of its kinds";
  if (summary["memory_bytes"].get<uint64_t>() != sum * 4096) {
    return "memory_bytes is not that of pages.total";
  }
  return "";
}

std::vector<std::string> VerbArgv(const std::string& verb, pid_t pid, const std::string& output,
                                  const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {verb,     std::to_string(pid), "-o",  output,
                                        "--json", "--progress",        "none"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return StillframeArgv(std::move(arguments));
}

}  // namespace

std::vector<std::string> StillframeArgv(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), Binary("stillframe"));
  return arguments;
}

std::vector<std::string> SaveArgv(pid_t pid, const std::string& image,
                                  const std::vector<std::string>& more) {
  return VerbArgv("save", pid, image, more);
}

std::vector<std::string> CoreArgv(pid_t pid, const std::string& core,
                                  const std::vector<std::string>& more) {
  return VerbArgv("core", pid, core, more);
}

CommandOutcome OutcomeOf(Subprocess& process, double seconds) {
  CommandOutcome outcome;
  outcome.exit_code = process.Wait(seconds).value_or(-1);
  outcome.out = process.Out();
  outcome.err = process.Err();
  outcome.json = json::parse(outcome.out, nullptr, false);
  if (outcome.json.is_discarded()) outcome.json = nullptr;
  return outcome;
}

CommandOutcome RunStillframe(const std::vector<std::string>& arguments,
                             const SubprocessOptions& options, double seconds) {
  Subprocess process(StillframeArgv(arguments), options);
  return OutcomeOf(process, seconds);
}

CommandOutcome RunSave(pid_t pid, const std::string& image, const std::vector<std::string>& more,
                       const SubprocessOptions& options, double seconds) {
  Subprocess process(SaveArgv(pid, image, more), options);
  return OutcomeOf(process, seconds);
}

CommandOutcome RunCore(pid_t pid, const std::string& core, const std::vector<std::string>& more,
                       const SubprocessOptions& options, double seconds) {
  Subprocess process(CoreArgv(pid, core, more), options);
  return OutcomeOf(process, seconds);
}

std::vector<std::string> WithOracle(const std::string& directory) {
  // Three times as long as any machine needs for 1 GiB.
  return {"--exec-timeout", "60s", "--exec-paused",
          Binary("stillframe-oracle") + " copy $STILLFRAME_PID " + directory};
}

std::string WrongInSummary(const json& summary) {
  if (!summary.is_object()) return "it is no JSON object";
  if (summary.value("schema", 0) != 1) return "schema is not 1";
  const std::string verb = summary.value("verb", "");
  if (verb != "save" && verb != "core") return "verb is neither save nor core";
  if (summary.value("format", "") != (verb == "core" ? "core" : "image")) return "format is wrong";
  if (!summary.contains("image") || !summary["image"].is_string()) return "image is no string";
  const std::vector<std::pair<std::string, std::vector<std::string>>> groups = {
      {"pages", {"total", "zero", "scanned", "faulted", "paused", "lost", "in_parent"}},
      {"wait_us", {"count", "p50", "p99", "p999", "max"}},
      {"throttle", {"triggers", "polls", "forced"}},
      {"stage", {"bytes", "peak_bytes", "full", "spilled_bytes"}},
      {"rounds", {"count", "copied_bytes"}}};
  std::string wrong =
      WantNumbers(summary, "summary",
                  {"pid", "pause_us", "exec_us", "duration_ms", "memory_bytes", "image_bytes"});
  for (const auto& [group, names] : groups) {
    if (!wrong.empty()) return wrong;
    if (!summary.contains(group)) return group + " is missing";
    wrong = WantNumbers(summary[group], group, names);
  }
  if (!wrong.empty()) return wrong;
  if (!summary["throttle"].contains("policy")) return "throttle.policy is missing";
  for (const char* list : {"skipped", "lost"}) {
    if (wrong = WantRanges(summary, list); !wrong.empty()) return wrong;
  }
  return WrongSums(summary);
}

std::string WrongInError(const json& json) {
  if (!json.is_object()) return "it is no JSON object";
  if (json.value("schema", 0) != 1) return "schema is not 1";
  if (!json.contains("verb")) return "verb is missing";
  if (!json.contains("error")) return "error is missing";
  for (const char* field : {"code", "message", "hint"}) {
    if (!json["error"].contains(field)) return std::string("error.") + field + " is missing";
  }
  if (json["error"]["message"].get<std::string>().empty()) return "error.message is empty";
  return "";
}

}  // namespace stillframe::test
