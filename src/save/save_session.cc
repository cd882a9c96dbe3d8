// Making a session: what has to be right before anything is touched.
#include <unistd.h>

#include <memory>
#include <utility>

#include "save/save_options.h"
#include "save/session.h"
#include "save/without_exceptions.h"
#include "stillframe/save.h"
#include "throttle/recording_policy.h"

namespace stillframe {

Result<std::unique_ptr<SaveSession>> SaveSession::Create(std::unique_ptr<Target> target,
                                                         std::unique_ptr<PageSink> sink,
                                                         SaveOptions options) {
  STILLFRAME_TRY(CheckSaveOptions(options));
  STILLFRAME_TRY(CheckRoomFor(options));
  STILLFRAME_TRY(CheckOrder(options, *sink));
  if (target->pid() == getpid() && options.via != Via::kWriteProtect) {
    return Fail(ErrorCode::kUsage,
                "one's own process can't be saved via " + std::string(ViaName(options.via)),
                "it is saved under write protection (wp) only");
  }
  if (target->pid() == getpid() && options.instant == Instant::kLate) {
    return Fail(ErrorCode::kUsage, "one's own process can't be saved with a late instant",
                "nothing of it is armed or copied before its instant");
  }
  STILLFRAME_ASSIGN(auto policy, MakeThrottlePolicy(options.throttle));
  policy = RecordInto(options.trace, std::move(policy));
  return WithoutExceptions("for the stage", [&]() -> Result<std::unique_ptr<SaveSession>> {
    return std::make_unique<Session>(
        std::move(target), std::move(sink), std::move(options),
        [&policy](SaveContext& context) { return MakeSaveWay(context, std::move(policy)); });
  });
}

}  // namespace stillframe
