#include "stillframe/dedup.h"

#include "image/block_freer.h"
#include "image/image_directory.h"
#include "image/image_family.h"

namespace stillframe {

Result<DedupReport> DedupImages(const std::string& directory, const DedupOptions& options) {
  STILLFRAME_ASSIGN(const std::vector<std::string> paths, ListImages(directory));
  STILLFRAME_ASSIGN(const ImageFamily family, ImageFamily::Open(paths));
  // All of them are locked by now. One that came in between may need what nobody else does.
  STILLFRAME_ASSIGN(const std::vector<std::string> now, ListImages(directory));
  if (now != paths) {
    return Fail(ErrorCode::kUsage, "images came to " + directory + " or went meanwhile",
                "try again when nobody writes there");
  }
  DedupReport report{.images = paths.size(), .ends = family.ends(), .deduped = {}};
  for (const ImageFamily::Member& member : family.members()) {
    if (!member.is_parent) continue;
    if (options.cancelled && options.cancelled()) {
      return Fail(ErrorCode::kInterrupted, "interrupted; what was freed by then stays freed");
    }
    const ImageFile& file = member.image->file();
    BlockFreer freer(*member.image, member.needed);
    DedupedImage deduped{.path = file.path(),
                         .freed_before = freer.before(),
                         .freed = freer.fresh(),
                         .given_back = {}};
    if (!options.dry_run && !freer.is_idle()) {
      STILLFRAME_ASSIGN(const Bytes before, file.OnDisk());
      STILLFRAME_TRY(freer.Free());
      STILLFRAME_ASSIGN(const Bytes after, file.OnDisk());
      if (after < before) deduped.given_back = before - after;
    }
    if (deduped.freed.count + deduped.freed_before.count > 0) report.deduped.push_back(deduped);
  }
  return report;
}

}  // namespace stillframe
