// Holds a core against the oracle's copy, and against the mappings that were there.
#ifndef STILLFRAME_TESTS_SUPPORT_CORE_COMPARE_H_
#define STILLFRAME_TESTS_SUPPORT_CORE_COMPARE_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "stillframe/error.h"
#include "stillframe/units.h"
#include "support/core_file.h"
#include "support/oracle_compare.h"

namespace stillframe::test {

// The mappings of which a summary says that nothing is saved. Its list "skipped" names others too:
// those that were saved another way than asked for, and what can't be read, which is zeros.
std::vector<AddressRange> LeftOutIn(const nlohmann::json& summary);
// Those of the list "lost".
std::vector<AddressRange> LostIn(const nlohmann::json& summary);

// Every page that the oracle knows must be in the core with the same bytes, or in one of `unsaved`,
// or lie behind the ELF header of a file of which the core holds the first page only.
Result<OracleReport> CompareCoreWithOracle(const std::string& directory, const CoreFile& core,
                                           const std::vector<AddressRange>& unsaved);

// `maps`: the text of /proc/PID/maps at the instant. One segment for each mapping, with its flags,
// but where pages of it are `lost`: these are in none, and an empty one stands where they begin.
// The file holds all of each segment, nothing of those of `left_out`, and of an ELF file it may be
// the first page only. What is wrong, at most 16.
std::vector<std::string> WrongInSegments(const CoreFile& core, const std::string& maps,
                                         const std::vector<AddressRange>& left_out,
                                         const std::vector<AddressRange>& lost);

// Where two cores of a process that stood still differ within `range`, which both must have: the
// first such byte; none where they don't. What the kernel itself writes is passed over: on which
// CPU a thread runs (rseq), whenever it has gone on for a moment, as when a call was injected.
std::optional<std::string> FirstDifference(const CoreFile& ours, const CoreFile& theirs,
                                           AddressRange range);

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_CORE_COMPARE_H_
