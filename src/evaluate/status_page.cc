#include "evaluate/status_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <new>

#include "base/unique_fd.h"
#include "evaluate/check_failure.h"

namespace stillframe::evaluate {
namespace {

MappedMemory MapStatus(const std::string& path) {
  if (path.empty()) return MappedMemory::Anonymous(sizeof(StatusRecord));
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) FailCall("status", "open " + path);
  if (ftruncate(fd.get(), sizeof(StatusRecord)) != 0) FailCall("status", "ftruncate");
  return MappedMemory::OfFile(fd.get(), sizeof(StatusRecord), MAP_SHARED);
}

}  // namespace

StatusPage::StatusPage(const std::string& path)
    : memory_(MapStatus(path)), record_(new (memory_.data()) StatusRecord{}) {
  record_->magic = kStatusMagic;
  record_->pid = static_cast<uint64_t>(getpid());
}

StatusSlot& StatusPage::Add(std::string_view name) {
  const uint64_t count = record_->slot_count.load();
  if (count >= std::size(record_->slots)) {
    errno = E2BIG;
    FailCall("status", "one thread more");
  }
  StatusSlot& slot = record_->slots[count];
  name.copy(slot.name, sizeof(slot.name) - 1);
  record_->slot_count.store(count + 1);
  return slot;
}

}  // namespace stillframe::evaluate
