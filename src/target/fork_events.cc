#include "target/fork_events.h"

#include <linux/userfaultfd.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include "sys/proc_file.h"

namespace stillframe {
namespace {

// "API: aa:FEATURES:IOCTLS" of its fdinfo, in hexadecimal.
uint64_t ReadFeatures(int process, int fd) {
  std::array<char, 1024> buffer;
  const std::string path = "fdinfo/" + std::to_string(fd);
  const std::string_view text = ReadSmallFile(process, path.c_str(), buffer);
  const size_t line = text.find("API:");
  if (line == std::string_view::npos) return 0;
  const size_t colon = text.find(':', line + 4);
  if (colon == std::string_view::npos) return 0;
  uint64_t features = 0;
  std::from_chars(text.data() + colon + 1, text.data() + text.size(), features, 16);
  return features;
}

bool AsksForForks(int process, int fd) {
  const std::string link = ReadLinkAt(process, ("fd/" + std::to_string(fd)).c_str());
  return link == "anon_inode:[userfaultfd]" &&
         (ReadFeatures(process, fd) & UFFD_FEATURE_EVENT_FORK) != 0;
}

}  // namespace

Result<void> CheckNobodyIsToldOfForks(const ProcessHandle& process) {
  const int directory = process.directory.get();
  bool asks = AsksForForks(directory, 0);  // the list below can't tell descriptor 0 from its end
  NumberedEntries fds(directory, "fd");
  for (int fd = fds.Next(); fd != 0 && !asks; fd = fds.Next()) asks = AsksForForks(directory, fd);
  if (!asks) return {};
  return Fail(ErrorCode::kUnsupported,
              "forking process " + std::to_string(process.pid) +
                  ": it uses userfaultfd itself, and would be told of the fork",
              "use the way stop");
}

uint64_t ReadResidentPages(int process) {
  std::array<char, 256> buffer;
  const std::string_view text = ReadSmallFile(process, "statm", buffer);
  const size_t blank = text.find(' ');
  if (blank == std::string_view::npos) return 0;
  uint64_t pages = 0;
  std::from_chars(text.data() + blank + 1, text.data() + text.size(), pages);
  return pages;
}

}  // namespace stillframe
