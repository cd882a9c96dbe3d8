#include "support/gdb.h"

#include <gtest/gtest.h>

#include "support/files.h"
#include "support/subprocess.h"

namespace stillframe::test {
namespace {

// Between answers; nothing that gdb would say by itself.
constexpr char kMark[] = "=#=#=";

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// One stream, so that an error stands where its command was.
std::vector<std::string> Argv(const std::string& program, const std::string& core,
                              const std::vector<std::string>& commands) {
  std::vector<std::string> argv = {"sh", "-c", "exec \"$@\" 2>&1", "sh", "gdb", "-nx", "-batch"};
  for (const char* setting :
       {"set debuginfod enabled off", "set auto-load python-scripts off", "set width 0",
        "set height 0", "set style enabled off", "set print thread-events off"}) {
    argv.insert(argv.end(), {"-iex", setting});
  }
  argv.insert(argv.end(), {program, core});
  for (const std::string& command : commands) {
    argv.insert(argv.end(), {"-ex", std::string("echo ") + kMark + "\\n", "-ex", command});
  }
  return argv;
}

}  // namespace

GdbAnswers AskGdb(const std::string& program, const std::string& core,
                  const std::vector<std::string>& commands) {
  const Finished gdb = RunToEnd(Argv(program, core, commands), {}, 120);
  // 1 where the last command failed, which may be just what was asked.
  EXPECT_TRUE(gdb.exit_code == 0 || gdb.exit_code == 1) << gdb.out << gdb.err;
  std::string text = Replaced(gdb.out, core, "CORE");
  std::vector<std::string> parts;
  const std::string mark = std::string(kMark) + "\n";
  for (size_t at; (at = text.find(mark)) != std::string::npos;) {
    parts.push_back(text.substr(0, at));
    text.erase(0, at + mark.size());
  }
  parts.push_back(text);
  EXPECT_EQ(parts.size(), commands.size() + 1) << gdb.out;
  parts.resize(commands.size() + 1);
  return {.opening = parts[0], .answers = {parts.begin() + 1, parts.end()}};
}

std::string TakeGcore(pid_t pid, const std::string& prefix) {
  const Finished gcore = RunToEnd({"gcore", "-o", prefix, std::to_string(pid)}, {}, 120);
  const std::string path = prefix + "." + std::to_string(pid);
  if (gcore.exit_code == 0 && Exists(path)) return path;
  ADD_FAILURE() << "gcore: " << gcore.out << gcore.err;
  return "";
}

}  // namespace stillframe::test
