#include <utility>

#include "save/fork_way.h"
#include "save/precopy_way.h"
#include "save/save_way.h"
#include "save/stop_way.h"
#include "save/write_protect_way.h"

namespace stillframe {

std::unique_ptr<SaveWay> MakeSaveWay(SaveContext& context, std::unique_ptr<ThrottlePolicy> policy) {
  switch (context.options.via) {
    case Via::kFork:
      return std::make_unique<ForkWay>(context);
    case Via::kStop:
      return std::make_unique<StopWay>(context);
    case Via::kPrecopy:
      return std::make_unique<PrecopyWay>(context);
    case Via::kWriteProtect:
      break;
  }
  return std::make_unique<WriteProtectWay>(context, std::move(policy));
}

}  // namespace stillframe
