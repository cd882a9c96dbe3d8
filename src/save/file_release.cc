#include "save/file_release.h"

#include "save/precopy_proof.h"
#include "stillframe/mapping.h"

namespace stillframe {

void ReleaseFiles(const Target& target, const FaultChannel& channel,
                  const std::function<bool(AddressRange)>& is_ours) {
  const auto mappings = target.ReadMappings(false);
  if (!mappings) return;
  for (size_t i = 0; i < mappings->size(); ++i) {
    const Mapping& mapping = (*mappings)[i];
    if (mapping.shared || !MayShowFile(mapping) || !is_ours(mapping.range)) continue;
    // With the gaps beside it, into which it may have grown since.
    AddressRange wide = mapping.range;
    if (i > 0) wide.begin = (*mappings)[i - 1].range.end;
    if (i + 1 < mappings->size()) wide.end = (*mappings)[i + 1].range.begin;
    // Refused where something has come there that knows no userfaultfd.
    if (!channel.UnregisterFile(wide)) channel.UnregisterFile(mapping.range);
  }
}

}  // namespace stillframe
