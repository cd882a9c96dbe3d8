// stillframe-oracle: copies a paused process's memory by another way, and compares an image with
// that copy.
//
//   stillframe-oracle copy PID DIR        DIR is made
//   stillframe-oracle compare DIR IMAGE   0 equal, 1 different (stdout says where), 2 neither could
//   be told
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "stillframe/image_reader.h"
#include "support/oracle_compare.h"
#include "support/oracle_copy.h"

namespace {

using stillframe::Error;

int Complain(const Error& error) {
  std::fprintf(stderr, "stillframe-oracle: %s\n", error.message.c_str());
  return 2;
}

int Copy(const char* pid, const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    std::perror(directory.c_str());
    return 2;
  }
  const auto copied = stillframe::test::CopyMemory(std::atoi(pid), directory);
  return copied ? 0 : Complain(copied.error());
}

int Compare(const std::string& directory, const std::string& path) {
  const auto image = stillframe::ImageReader::Open(path);
  if (!image) return Complain(image.error());
  const auto report = stillframe::test::CompareWithOracle(directory, **image);
  if (!report) return Complain(report.error());
  std::printf("equal %llu lost %llu unchecked %llu pages\n",
              static_cast<unsigned long long>(report->equal.count),
              static_cast<unsigned long long>(report->lost.count),
              static_cast<unsigned long long>(report->unchecked.count));
  for (const std::string& difference : report->differences) std::puts(difference.c_str());
  return report->differences.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc == 4 ? argv[1] : "";
  if (verb == "copy") return Copy(argv[2], argv[3]);
  if (verb == "compare") return Compare(argv[2], argv[3]);
  std::fputs("usage: stillframe-oracle copy PID DIR | compare DIR IMAGE\n", stderr);
  return 2;
}
