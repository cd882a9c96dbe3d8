#include "target/namespace_check.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "sys/proc_file.h"

namespace stillframe {
namespace {

using Link = std::array<char, 64>;

std::string_view ReadLink(int process, pid_t tid, std::string_view name, Link* to) {
  const ssize_t n = readlinkat(process, TaskPath(tid, name).c_str(), to->data(), to->size());
  return n < 0 ? std::string_view() : std::string_view(to->data(), static_cast<size_t>(n));
}

// A namespace that has no process yet shows no link. One that the kernel doesn't have shows
// neither.
bool Same(int process, pid_t tid, std::string_view own, std::string_view of_children) {
  Link a;
  Link b;
  return ReadLink(process, tid, own, &a) == ReadLink(process, tid, of_children, &b);
}

}  // namespace

InjectionFailure CheckNamespaces(int process, pid_t tid) {
  if (Same(process, tid, "ns/pid", "ns/pid_for_children") &&
      Same(process, tid, "ns/time", "ns/time_for_children")) {
    return {};
  }
  return {InjectionStep::kNamespace, EINVAL};
}

}  // namespace stillframe
