// A regular file that appears under its name only when it is complete.
#ifndef STILLFRAME_STORE_NEW_FILE_H_
#define STILLFRAME_STORE_NEW_FILE_H_

#include <atomic>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "stillframe/error.h"

namespace stillframe {

// Written without a name (O_TMPFILE), so that whatever ends us leaves nothing. Where the file
// system can't do that the file is called NAME.partial until it is complete. A SIGKILL can leave
// that, and while an old file is being replaced, for the time between two system calls, the
// complete new one as .stillframe-RANDOM beside it.
//
// Thread rule: one thread; Interrupt from any.
class NewFile {
 public:
  struct Options {
    // An existing file of that name is replaced by Publish; until then it stays whole.
    bool force = false;
    // False: as if the file system knew no unnamed files.
    bool unnamed = true;
    // The descriptor can be read from as well.
    bool readable = false;
  };

  // `path`: where the file shall be; its directory must exist. The file has mode 0600.
  // Errors: kUsage (the name is taken, NAME.partial exists), kOutput or kPermission (directory
  // missing, read-only).
  static Result<std::unique_ptr<NewFile>> Open(const std::string& path, const Options& options);

  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  // Without a Publish that succeeded, nothing is left behind.
  ~NewFile();

  int fd() const { return file_.get(); }
  const std::string& path() const { return path_; }

  // Makes the content durable and visible under the name. Once, and last.
  // Errors: kOutput, kPermission, kInterrupted, and kUsage where a file of that name turned up
  // meanwhile and may not be replaced.
  Result<void> Publish();

  // Makes CheckInterrupted and Publish return kInterrupted from here on. Async-signal-safe.
  void Interrupt() { interrupted_.store(true, std::memory_order_relaxed); }
  Result<void> CheckInterrupted() const;

  // "OPERATION: text of errno", and what a user can do about it.
  static tl::unexpected<Error> Failed(int error, const std::string& operation);

 private:
  NewFile(std::string path, bool force, UniqueFd directory, UniqueFd file, std::string partial);

  std::string base() const;
  tl::unexpected<Error> Exists() const;
  // Each gives the complete file its name.
  Result<void> NameUnnamed();
  Result<void> NamePartial();
  // Links the unnamed file as `name`; errno or 0.
  int Link(const std::string& name) const;
  Result<void> ReplaceByUnnamed();
  Result<void> SyncDirectory();

  const std::string path_;
  const bool force_;
  const UniqueFd directory_;
  const UniqueFd file_;
  std::string partial_;     // the file's name for now, in directory_; empty: none
  bool published_ = false;  // it has its own name, and did not take it from another
  std::atomic<bool> interrupted_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_NEW_FILE_H_
