// The options of one verb, over GLib's parser.
#ifndef STILLFRAME_CLI_OPTION_PARSER_H_
#define STILLFRAME_CLI_OPTION_PARSER_H_

#include <glib.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "stillframe/error.h"

namespace stillframe {

// Values stay raw bytes (names of files are no text) and are parsed by option_value.h.
//
// Thread rule: one thread.
class OptionParser {
 public:
  // `verb`: "save". `parameters`: what stands beside the options, "PID -o IMAGE". `about`: a
  // sentence for --help.
  OptionParser(std::string verb, std::string parameters, std::string about);
  OptionParser(const OptionParser&) = delete;
  OptionParser& operator=(const OptionParser&) = delete;
  ~OptionParser();

  // All strings must live as long as the parser: pass literals. `short_name` 0 for none. The result
  // is filled by Parse.
  const bool& AddFlag(const char* name, char short_name, const char* help);
  const std::optional<std::string>& AddValue(const char* name, char short_name,
                                             const char* value_name, const char* help);

  // The arguments after the verb. Returns those that are no options, of which there have to be
  // `positionals`. With --help among them nothing else is looked at.
  Result<std::vector<std::string>> Parse(const std::vector<std::string>& arguments,
                                         size_t positionals) {
    return Parse(arguments, positionals, positionals);
  }
  // The same for a number of them within these limits, both accepted.
  Result<std::vector<std::string>> Parse(const std::vector<std::string>& arguments, size_t least,
                                         size_t most);
  // The long names of the options that Parse met.
  std::vector<std::string> given() const;
  bool help_wanted() const { return help_wanted_; }
  std::string Help() const;

 private:
  struct Flag {
    gboolean parsed = FALSE;
    bool value = false;
  };
  struct Value {
    gchar* parsed = nullptr;
    std::optional<std::string> value;
  };

  GOptionContext* MakeContext() const;

  std::string verb_;
  std::string parameters_;
  std::string about_;
  std::deque<Flag> flags_;  // deques: the entries point into them
  std::deque<Value> values_;
  std::vector<GOptionEntry> entries_;
  bool help_wanted_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_CLI_OPTION_PARSER_H_
