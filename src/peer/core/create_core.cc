#include <string>
#include <utility>

#include "peer/core/core_stream.h"
#include "peer/core/core_writer.h"
#include "stillframe/core.h"
#include "store/output_place.h"
#include "store/placed_store.h"

namespace stillframe {

namespace {

tl::unexpected<Error> NeedsOrder(const OutputPlace& place) {
  return Fail(ErrorCode::kUsage,
              "writing the core to " + (place.path.empty() ? "a stream" : place.path) +
                  ": it takes memory by rising address, front to back, and would be given it in "
                  "any order",
              "--via fork or stop, or a file");
}

}  // namespace

Result<std::unique_ptr<PageSink>> CreateCore(const Output& output, CoreOptions options) {
  STILLFRAME_ASSIGN(const OutputPlace place, FindOutput(output));
  std::unique_ptr<PageSink> sink;
  if (place.is_file) {
    STILLFRAME_ASSIGN(auto store, PlacedStore::Open(place.path, {.force = output.force}));
    sink = std::make_unique<CoreWriter>(std::move(store), options.memory);
  } else {
    if (!options.in_order) return NeedsOrder(place);
    STILLFRAME_ASSIGN(auto store, OpenStore(output));
    sink = std::make_unique<CoreStream>(std::move(store), std::move(options.lost));
  }
  return sink;
}

}  // namespace stillframe
