#include "evaluate/shared_writer.h"

#include <sys/mman.h>
#include <unistd.h>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {
namespace {

UniqueFd MakeMemfd(size_t size) {
  UniqueFd fd(memfd_create("workload", MFD_CLOEXEC));
  if (!fd) FailCall("shared", "memfd_create");
  if (ftruncate(fd.get(), static_cast<off_t>(size)) != 0) FailCall("shared", "ftruncate");
  return fd;
}

}  // namespace

SharedWriter::SharedWriter(size_t pages, uint64_t seed)
    : memfd_(MakeMemfd(pages * kPageBytes)),
      of_memfd_(MappedMemory::OfFile(memfd_.get(), pages * kPageBytes, MAP_SHARED)),
      anonymous_(MappedMemory::SharedAnonymous(pages * kPageBytes)),
      memfd_pages_("shared memfd", of_memfd_.data(), pages, seed),
      anonymous_pages_("shared anonymous", anonymous_.data(), pages, seed + 1),
      random_(seed) {}

void SharedWriter::Prepare() {
  // Every fourth page stays a hole for now.
  for (size_t i = 0; i < memfd_pages_.size(); ++i) {
    if (i % 4 != 0) memfd_pages_.Write(i);
    if (i % 4 != 1) anonymous_pages_.Write(i);
  }
}

void SharedWriter::Step() {
  for (OwnedPages* pages : {&memfd_pages_, &anonymous_pages_}) {
    const size_t i = random_.Below(pages->size());
    pages->Check(i);
    pages->Write(i);
  }
}

void SharedWriter::CheckAll() {
  memfd_pages_.CheckAll();
  anonymous_pages_.CheckAll();
}

void SharedWriter::Corrupt() { memfd_pages_.Corrupt(random_.Below(memfd_pages_.size())); }

}  // namespace stillframe::evaluate
