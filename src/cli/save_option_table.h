// What `stillframe save` and `stillframe core` are told on their command lines, as it stands there.
#ifndef STILLFRAME_CLI_SAVE_OPTION_TABLE_H_
#define STILLFRAME_CLI_SAVE_OPTION_TABLE_H_

#include <optional>
#include <string>

#include "cli/option_parser.h"
#include "report/save_format.h"

namespace stillframe {

// The options of `save` or `core`, which Parse of `parser` fills: named once. Values are not looked
// at yet. One that the verb doesn't have is never given.
//
// Thread rule: one thread.
struct SaveOptionTable {
  // `parser` outlives it.
  SaveOptionTable(OptionParser& parser, SaveFormat format);

  using Text = std::optional<std::string>;
  const Text no_value;
  const bool no_flag = false;

  const Text& from;
  const Text& output;
  const bool& force;
  // Of save alone.
  const Text& compress;
  const Text& compress_threads;
  const Text& parent;
  const Text& compare;
  const bool& any_process;
  const bool& no_hashes;
  // Of both.
  const Text& via;
  const Text& instant;
  const Text& throttle;
  const Text& fault_limit;
  const Text& poll_time;
  const Text& poll_count;
  const Text& max_bandwidth;
  const Text& stage;
  const Text& max_stall;
  const Text& tracker;
  const Text& on_full;
  const Text& spill_dir;
  const Text& spill_limit;
  const Text& on_lost;
  const Text& pause_limit;
  const Text& over_pause_limit;
  const Text& exec_paused;
  const Text& exec_timeout;
  const Text& stop_timeout;
  const Text& filter;
  const bool& include_dontdump;
  const Text& trace;
  const Text& report;
  const bool& dry_run;
  const bool& json;
  const Text& progress;
  const bool& quiet;
  const bool& verbose;
};

// Knows the verb and what it is about, but none of its options yet.
OptionParser SaveOptionParser(SaveFormat format);

// What an output of this format is called with, for a hint.
const char* OutputHint(SaveFormat format);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_SAVE_OPTION_TABLE_H_
