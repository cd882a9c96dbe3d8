// An image in a regular file, that appears under its name only when it is complete.
#ifndef STILLFRAME_STORE_FILE_STORE_H_
#define STILLFRAME_STORE_FILE_STORE_H_

#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "stillframe/error.h"
#include "store/store.h"
#include "store/write_behind.h"

namespace stillframe {

// Written without a name (O_TMPFILE), so that whatever ends us leaves nothing. Where the file
// system can't do that the file is called NAME.partial until it is complete. A SIGKILL can leave
// that, and while an old file is being replaced, for the time between two system calls, the
// complete new one as .stillframe-RANDOM beside it.
//
// Thread rule: as Store.
class FileStore final : public Store {
 public:
  struct Options {
    // An existing file of that name is replaced by Publish; until then it stays whole.
    bool force = false;
    // False: as if the file system knew no unnamed files.
    bool unnamed = true;
  };

  // `path`: where the file shall be; its directory must exist. The file has mode 0600.
  // Errors: kUsage (the name is taken, NAME.partial exists), kOutput or kPermission (directory
  // missing, read-only).
  static Result<std::unique_ptr<Store>> Open(const std::string& path, const Options& options);

  ~FileStore() override;

  Result<void> Append(std::span<const iovec> parts) override;
  Result<void> Publish() override;
  void Interrupt() override { interrupted_.store(true, std::memory_order_relaxed); }

 private:
  FileStore(std::string path, bool force, UniqueFd directory, UniqueFd file, std::string partial);

  std::string base() const;
  Result<void> CheckInterrupted() const;
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
  WriteBehind write_behind_;
  std::atomic<bool> interrupted_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_FILE_STORE_H_
