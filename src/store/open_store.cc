#include <chrono>

#include "store/file_store.h"
#include "store/output_place.h"
#include "store/store.h"
#include "store/stream_store.h"

namespace stillframe {
namespace {

constexpr Duration kReaderWait = std::chrono::seconds(10);

}  // namespace

Result<std::unique_ptr<Store>> OpenStore(const Output& output) {
  STILLFRAME_ASSIGN(const OutputPlace place, FindOutput(output));
  if (place.is_file) return FileStore::Open(place.path, {.force = output.force});
  if (place.path.empty()) return StreamStore::FromDescriptor(output.descriptor);
  return StreamStore::FromPath(place.path, kReaderWait);
}

}  // namespace stillframe
