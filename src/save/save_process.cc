#include <utility>

#include "save/save_options.h"
#include "stillframe/image.h"
#include "stillframe/save.h"

namespace stillframe {

Result<SaveSummary> SaveProcess(pid_t pid, const Output& output, SaveOptions options) {
  STILLFRAME_TRY(CheckSaveOptions(options));
  STILLFRAME_TRY(CheckRoomFor(options));
  STILLFRAME_TRY(MakeThrottlePolicy(options.throttle));
  STILLFRAME_ASSIGN(auto sink, CreateImage(output));
  STILLFRAME_ASSIGN(auto target, AttachProcess(pid, AttachOptionsFor(options.via)));
  STILLFRAME_ASSIGN(auto session,
                    SaveSession::Create(std::move(target), std::move(sink), std::move(options)));
  return session->Run();
}

}  // namespace stillframe
