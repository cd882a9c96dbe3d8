// An image written to something that is not a file of ours: a pipe, a FIFO, a socket, a device, or
// an open descriptor.
#ifndef STILLFRAME_STORE_STREAM_STORE_H_
#define STILLFRAME_STORE_STREAM_STORE_H_

#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "stillframe/error.h"
#include "stillframe/units.h"
#include "store/store.h"

namespace stillframe {

// Waits for its reader in poll(2) only, where Interrupt reaches it. O_NONBLOCK belongs to the open
// file description, which others may share with us (the shell, a sibling), so it is set on a
// description of our own wherever one can be had.
//
// Thread rule: as Store.
class StreamStore final : public Store {
 public:
  // Writes to `descriptor`, from its present position on. It is neither closed nor changed.
  // Errors: kUsage (not open for writing).
  static Result<std::unique_ptr<Store>> FromDescriptor(int descriptor);

  // Opens a FIFO or a device. A FIFO that nobody reads is waited for at most `reader_wait`. A block
  // device that is mounted is refused.
  static Result<std::unique_ptr<Store>> FromPath(const std::string& path, Duration reader_wait);

  Result<void> Append(std::span<const iovec> parts) override;
  Result<void> Publish() override;
  void Interrupt() override;

 private:
  enum class Way {
    kPrivate,  // a description of our own with O_NONBLOCK: write, and poll when it would block
    kSocket,   // send with MSG_DONTWAIT, and poll when it would block
    kShared,   // someone else's, maybe blocking: poll, then write what fits for certain
    kFile,     // a regular file or a block device: just write
  };

  StreamStore(std::string name, UniqueFd fd, Way way, UniqueFd interrupt);
  // `fd` has been opened by us.
  static Result<std::unique_ptr<Store>> Make(std::string name, UniqueFd fd, Way way);

  Result<void> WaitForRoom();
  ssize_t WriteOnce(std::span<iovec> parts);
  tl::unexpected<Error> Failed(int error) const;

  const std::string name_;  // for messages
  const UniqueFd fd_;
  const Way way_;
  const UniqueFd interrupt_;  // an eventfd, readable from the first Interrupt on
  std::atomic<bool> interrupted_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_STORE_STREAM_STORE_H_
