// The project's workload as a target: started, watched, asked whether it is well.
#ifndef STILLFRAME_TESTS_SUPPORT_WORKLOAD_PROCESS_H_
#define STILLFRAME_TESTS_SUPPORT_WORKLOAD_PROCESS_H_

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluate/ticket_board.h"
#include "support/subprocess.h"
#include "support/temp_dir.h"

namespace stillframe::test {

class WorkloadProcess {
 public:
  // Ready when this returns, or a failure of the current test says why not.
  explicit WorkloadProcess(std::vector<std::string> arguments,
                           const SubprocessOptions& options = {});

  pid_t pid() const { return process_.pid(); }
  Subprocess& process() { return process_; }
  // What its "ready" line says.
  const nlohmann::json& description() const { return description_; }
  evaluate::TicketLayout tickets() const;

  // Steps done so far, by thread.
  std::vector<uint64_t> Steps() const;
  // Empty when it runs, is neither stopped nor traced, has no descriptor that it had not at first,
  // and every one of its threads makes progress; else what is wrong.
  std::string WhatIsWrong();
  // Ends it with a check of all of its memory; its exit code, 0 for all right. -1: it hung.
  int Finish();

 private:
  TempDir directory_;
  Subprocess process_;
  nlohmann::json description_;
  std::map<int, std::string> descriptors_;
};

}  // namespace stillframe::test

#endif  // STILLFRAME_TESTS_SUPPORT_WORKLOAD_PROCESS_H_
