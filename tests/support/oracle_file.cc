#include "support/oracle_file.h"

#include <cerrno>
#include <fstream>
#include <sstream>

namespace stillframe::test {
namespace {

constexpr const char* kKindNames[] = {"data", "zero", "unreadable"};

}  // namespace

std::string OraclePagesPath(const std::string& directory) { return directory + "/pages"; }

Result<void> WriteOracleRanges(const std::string& directory,
                               const std::vector<OracleRange>& ranges) {
  std::ofstream file(directory + "/ranges");
  for (const OracleRange& range : ranges) {
    file << range.range.begin.value << ' ' << range.range.end.value << ' '
         << kKindNames[static_cast<size_t>(range.kind)] << ' ' << range.offset << ' ' << range.name
         << '\n';
  }
  file.close();
  if (!file) return FailErrno(errno, "write " + directory + "/ranges");
  return {};
}

Result<std::vector<OracleRange>> ReadOracleRanges(const std::string& directory) {
  std::ifstream file(directory + "/ranges");
  if (!file) return FailErrno(ENOENT, "open " + directory + "/ranges");
  std::vector<OracleRange> ranges;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    OracleRange range;
    std::string kind;
    fields >> range.range.begin.value >> range.range.end.value >> kind >> range.offset;
    if (!fields) return Fail(ErrorCode::kDamaged, "not a line of the oracle: " + line);
    std::getline(fields >> std::ws, range.name);
    range.kind = kind == "data"   ? OracleKind::kData
                 : kind == "zero" ? OracleKind::kZero
                                  : OracleKind::kUnreadable;
    ranges.push_back(range);
  }
  return ranges;
}

}  // namespace stillframe::test
