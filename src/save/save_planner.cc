#include "save/save_planner.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "save/mapping_details.h"
#include "sys/proc_file.h"
#include "sys/process_status.h"

namespace stillframe {

Result<void> SavePlanner::Make(const PlanAbilities& abilities) {
  abilities_ = abilities;
  STILLFRAME_ASSIGN(filter_, ReadFilter());
  STILLFRAME_ASSIGN(mappings_, target_.ReadMappings(true));
  asked_for_ = SharedFiles(mappings_);
  mapped_by_others_ = FilesMappedByOthers(target_.pid(), asked_for_);
  Plan();
  return {};
}

Result<void> SavePlanner::Refresh() {
  STILLFRAME_ASSIGN(std::vector<Mapping> now, target_.ReadMappings(false));
  if (!CarryDetails(mappings_, &now)) {
    const bool told = std::all_of(now.begin(), now.end(), [this](Mapping& mapping) {
      return mapping.has_details || AskFileForDetails(target_.pid(), &mapping);
    });
    if (!told) {
      STILLFRAME_ASSIGN(now, target_.ReadMappings(true));
    }
  }
  mappings_ = std::move(now);
  Plan();
  return {};
}

void SavePlanner::NameShared() {
  std::set<FileId> fresh;
  for (const FileId& file : SharedFiles(mappings_)) {
    if (!asked_for_.contains(file)) fresh.insert(file);
  }
  const std::set<FileId> shared = FilesMappedByOthers(target_.pid(), fresh);
  for (PlannedMapping& planned : plan_) {
    const Mapping& mapping = planned.mapping;
    if (planned.treatment == Treatment::kSkip || !planned.reason.empty()) continue;
    if (mapping.shared && mapping.has_file() && shared.contains(FileOf(mapping))) {
      planned.reason = "shared";
    }
  }
}

Result<uint64_t> SavePlanner::ReadFilter() const {
  if (is_self_) return ~uint64_t{0};  // the caller named the ranges
  if (options_.filter) return *options_.filter;
  const std::string path =
      "/proc/" + std::to_string(LiveThreadOf(target_.pid())) + "/coredump_filter";
  STILLFRAME_ASSIGN(const std::string text, ReadFileAt(AT_FDCWD, path.c_str(), "reading " + path));
  uint64_t filter = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), filter, 16).ec != std::errc()) {
    return Fail(ErrorCode::kInternal, "'" + path + "' holds no mask");
  }
  return filter;
}

void SavePlanner::Plan() {
  PlanRules rules;
  rules.filter = filter_;
  rules.include_dontdump = options_.include_dontdump || is_self_;
  rules.can_arm_hugetlb = abilities_.hugetlb;
  rules.arm_shared = abilities_.shared;
  rules.arm_private_files = abilities_.private_files;
  rules.largest_page = abilities_.largest_page;
  rules.mapped_by_others = mapped_by_others_;
  rules.is_elf = [this](TargetAddress address) { return IsElf(address); };
  plan_ = PlanMappings(mappings_, rules);
}

bool SavePlanner::IsElf(TargetAddress address) {
  const auto mapping = std::ranges::partition_point(
      mappings_, [address](const Mapping& m) { return m.range.begin < address; });
  const auto [known, fresh] = elf_.try_emplace({address, FileOf(*mapping)}, false);
  if (!fresh) return known->second;
  char magic[4] = {};
  const iovec to{.iov_base = magic, .iov_len = sizeof(magic)};
  const ReadOutcome read = target_.Read(address, {&to, 1});
  if (read.copied != Bytes{sizeof(magic)}) {
    elf_.erase(known);  // it may be readable later
    return false;
  }
  known->second = std::string_view(magic, sizeof(magic)) == "\177ELF";
  return known->second;
}

}  // namespace stillframe
