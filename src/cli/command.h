// The command: `stillframe VERB ...`.
#ifndef STILLFRAME_CLI_COMMAND_H_
#define STILLFRAME_CLI_COMMAND_H_

#include <string>
#include <vector>

namespace stillframe {

// What main does. Returns the exit code.
int RunCommand(int argc, char** argv);

// A verb each: the arguments after it in, the exit code out. Print their own errors.
int RunSave(const std::vector<std::string>& arguments);
int RunCore(const std::vector<std::string>& arguments);
int RunInfo(const std::vector<std::string>& arguments);
int RunVerify(const std::vector<std::string>& arguments);
int RunCat(const std::vector<std::string>& arguments);
int RunDiff(const std::vector<std::string>& arguments);
int RunWatch(const std::vector<std::string>& arguments);
int RunMerge(const std::vector<std::string>& arguments);
int RunDedup(const std::vector<std::string>& arguments);
int RunDoctor(const std::vector<std::string>& arguments);
int RunBench(const std::vector<std::string>& arguments);

}  // namespace stillframe

#endif  // STILLFRAME_CLI_COMMAND_H_
