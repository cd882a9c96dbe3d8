// An image in a regular file, that appears under its name only when it is complete.
#ifndef STILLFRAME_STORE_FILE_STORE_H_
#define STILLFRAME_STORE_FILE_STORE_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "stillframe/error.h"
#include "stillframe/units.h"
#include "store/direct_writer.h"
#include "store/new_file.h"
#include "store/signal_guard.h"
#include "store/store.h"
#include "store/write_behind.h"

namespace stillframe {

// The first MiB goes through the page cache, and what comes behind it past that, where the file
// system and the kernel can do that (DirectWriter): a third of the CPU time, and where CPUs are
// scarce quicker for it. A small file gains nothing: to set the direct way up takes about 1 ms.
//
// Thread rule: as Store; way by the thread that appends.
class FileStore final : public Store {
 public:
  static constexpr Bytes kHead = MiB(1);

  struct Options {
    // Both as NewFile's.
    bool force = false;
    bool unnamed = true;
    // False: all goes through the page cache.
    bool direct = true;
  };
  enum class Way { kPageCache, kDirect };

  // As NewFile::Open.
  static Result<std::unique_ptr<FileStore>> Open(const std::string& path, const Options& options);

  Result<void> Append(std::span<const iovec> parts) override;
  Result<void> Publish() override;
  void Interrupt() override { file_->Interrupt(); }

  // How the bytes go that are appended now. Past the head, kPageCache: the direct way can't be had,
  // or was given up.
  Way way() const { return way_; }

 private:
  FileStore(std::unique_ptr<NewFile> file, bool direct)
      : file_(std::move(file)),
        may_be_direct_(direct),
        write_behind_(file_->fd()),
        direct_(file_->fd()) {}

  // How much may be written in one step.
  size_t Step() const;
  void ChangeOver();
  // Each writes from the begin of `parts`, and returns how much.
  Result<size_t> WriteThrough(std::span<const iovec> parts);
  Result<size_t> WriteDirectly(std::span<const iovec> parts);
  Result<void> EndDirect();

  const std::unique_ptr<NewFile> file_;
  bool may_be_direct_;  // and was not tried yet
  Way way_ = Way::kPageCache;
  WriteBehind write_behind_;
  DirectWriter direct_;
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_FILE_STORE_H_
