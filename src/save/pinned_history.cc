#include "save/pinned_history.h"

#include <unistd.h>

namespace stillframe {
namespace {

constexpr int kLooksAtRings = 20;
constexpr useconds_t kBetweenLooks = 2000;

}  // namespace

Result<void> PinnedHistory::Look(const Target& target, std::span<const Mapping> mappings,
                                 const std::function<Result<void>()>& check) {
  Result<void> looked;
  for (int i = 0; i < kLooksAtRings; ++i) {
    STILLFRAME_TRY(check());
    now_ = PinnedMemory();
    looked = now_.Look(target, mappings);
    if (looked || looked.error().code != ErrorCode::kLimit) break;
    usleep(kBetweenLooks);
  }
  Add(now_.buffers());
  return looked;
}

Result<void> PinnedHistory::Find(const Target& target, std::span<const Mapping> mappings) {
  STILLFRAME_ASSIGN(const std::vector<AddressRange> buffers, now_.Find(target, mappings));
  Add(buffers);
  return {};
}

void PinnedHistory::Add(std::span<const AddressRange> buffers) {
  for (const AddressRange buffer : buffers) ever_.emplace(buffer.begin, buffer.end);
}

void PinnedHistory::Distrust(CopiedPages* copied) const {
  for (const auto& [begin, end] : ever_) copied->Remove({begin, end});
}

}  // namespace stillframe
