// Files under /proc, which have no size and are read whole or not at all.
#ifndef STILLFRAME_SYS_PROC_FILE_H_
#define STILLFRAME_SYS_PROC_FILE_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "stillframe/error.h"
#include "stillframe/units.h"

namespace stillframe {

// Reads at most `to.size()` bytes of a file below the directory `directory`. Returns the part of
// `to` that was filled, empty when the file can't be read (`errno` says why). No allocation;
// async-signal-safe.
std::string_view ReadSmallFile(int directory, const char* path, std::span<char> to);

// Reads an open file from its start to its end into `text`, whose capacity is kept from call to
// call. Returns 0 or errno; EFBIG when there is more than `limit`.
int ReadWholeFile(int fd, Bytes limit, std::string* text);

// The same for a file below a directory. `what` names it in the error: "reading the mappings of
// process 12".
Result<std::string> ReadFileAt(int directory, const char* path, const std::string& what);

// Where a symbolic link below a directory points; empty when it can't be read.
std::string ReadLinkAt(int directory, const char* path);

// The entries of a directory whose names are numbers: threads below /proc/PID/task, processes below
// /proc. No allocation, no lock; async-signal-safe. Thread rule: one thread.
class NumberedEntries {
 public:
  // `path` below `directory`; a failure to open looks like an empty directory, and error() says
  // why.
  NumberedEntries(int directory, const char* path);

  // The next number, or 0 at the end.
  pid_t Next();
  // errno of the first failure; 0 for none.
  int error() const { return error_; }

 private:
  bool Fill();

  UniqueFd fd_;
  int error_ = 0;
  size_t at_ = 0;
  size_t end_ = 0;
  alignas(8) std::array<char, 8192> buffer_;
};

// "NUMBER/NAME" or "task/NUMBER/NAME", made without allocation.
class ProcPath {
 public:
  ProcPath(std::string_view prefix, pid_t number, std::string_view suffix);
  const char* c_str() const { return text_.data(); }

 private:
  std::array<char, 64> text_{};
};

// "task/TID/NAME", below /proc/PID.
inline ProcPath TaskPath(pid_t tid, std::string_view name) { return {"task/", tid, name}; }

}  // namespace stillframe

#endif  // STILLFRAME_SYS_PROC_FILE_H_
