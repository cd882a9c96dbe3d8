#include "image/parent_pages.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace stillframe {
Result<ParentPages> ParentPages::Create(std::shared_ptr<const ImageReader> image, Compare compare) {
  for (const ChainFile& file : image->chain()) {
    if (file.has_hashes || file.pages.count == 0) continue;
    return Fail(ErrorCode::kUsage,
                "the image " + file.path + " can't be a parent: it keeps no hashes of its pages",
                "stillframe merge writes one that does");
  }
  return ParentPages(std::move(image), compare);
}

Result<bool> ParentPages::Has(TargetAddress address, std::span<const std::byte> page,
                              const PageHash& hash) const {
  const auto there = image_->HashOf(address);
  if (!there || *there != hash) return false;
  if (compare_ == Compare::kHash) return true;
  std::array<std::byte, kPageSize.count> bytes;
  STILLFRAME_TRY(image_->ReadPage(address, bytes));
  return std::ranges::equal(bytes, page);
}

Result<void> CheckParent(const ImageReader& image, const ProcessState& process, bool any_process) {
  const ProcessState& before = image.metadata().process;
  const std::string parent = "the parent " + image.chain().front().path;
  if (any_process) {
    if (process.executable == before.executable) return {};
    return Fail(ErrorCode::kUsage,
                parent + " is of a process that ran " + before.executable + ", and this one runs " +
                    process.executable,
                "save without --parent");
  }
  if (process.boot_id == before.boot_id && process.pid == before.pid &&
      process.start_time == before.start_time) {
    return {};
  }
  return Fail(ErrorCode::kUsage,
              parent + " is of another process (pid " + std::to_string(before.pid) +
                  ", which ran " + before.executable + ")",
              "save without --parent, or with --any-process if this is the same program, "
              "started anew");
}

}  // namespace stillframe
