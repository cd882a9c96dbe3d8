// An image in a regular file, that appears under its name only when it is complete.
#ifndef STILLFRAME_STORE_FILE_STORE_H_
#define STILLFRAME_STORE_FILE_STORE_H_

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "stillframe/error.h"
#include "store/new_file.h"
#include "store/store.h"
#include "store/write_behind.h"

namespace stillframe {

// Thread rule: as Store.
class FileStore final : public Store {
 public:
  struct Options {
    // Both as NewFile's.
    bool force = false;
    bool unnamed = true;
  };

  // As NewFile::Open.
  static Result<std::unique_ptr<Store>> Open(const std::string& path, const Options& options);

  Result<void> Append(std::span<const iovec> parts) override;
  Result<void> Publish() override { return file_->Publish(); }
  void Interrupt() override { file_->Interrupt(); }

 private:
  explicit FileStore(std::unique_ptr<NewFile> file)
      : file_(std::move(file)), write_behind_(file_->fd()) {}

  const std::unique_ptr<NewFile> file_;
  WriteBehind write_behind_;
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_FILE_STORE_H_
