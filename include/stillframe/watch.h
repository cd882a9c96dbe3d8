// Saving one target again and again, each time what it wrote since.
#ifndef STILLFRAME_WATCH_H_
#define STILLFRAME_WATCH_H_

#include <memory>

#include "stillframe/error.h"
#include "stillframe/page_sink.h"
#include "stillframe/save.h"
#include "stillframe/target.h"

namespace stillframe {

// Stays attached: between two saves the target's memory stays registered in the mode in which the
// kernel itself opens a page that is written (UFFD_FEATURE_WP_ASYNC, Linux 6.7), so that the first
// write to each page costs the target about a microsecond, nobody has to answer, and our death
// changes nothing. The next save looks only at what was written since, in rounds, as Via::kPrecopy
// does.
//
// Thread rule: Create, Save and the destructor on the thread that made the target; Cancel and
// Progress from any.
class WatchSession {
 public:
  // `options`: via is taken to be kPrecopy. Errors: as SaveSession::Create; kUsage for one's own
  // process.
  static Result<std::unique_ptr<WatchSession>> Create(std::unique_ptr<Target> target,
                                                      SaveOptions options);

  WatchSession(const WatchSession&) = delete;
  WatchSession& operator=(const WatchSession&) = delete;
  // Releases the target.
  virtual ~WatchSession() = default;

  // Saves to `sink`, and destroys it. `follows`: it is a difference to the image that the last Save
  // wrote, which succeeded; what the target did not write since is then told of by
  // PageSink::InParent. Else everything is copied. Errors: as SaveSession::Run; the target runs on
  // and stays watched, and all but kTargetGone and kInterrupted can be tried again.
  virtual Result<SaveSummary> Save(std::unique_ptr<PageSink> sink, bool follows) = 0;
  // Makes Save give up with kInterrupted, now and from here on. Not async-signal-safe.
  virtual void Cancel() = 0;
  virtual SaveProgress Progress() const = 0;
  // kTargetGone once the target exited, or was replaced by exec.
  virtual Result<void> CheckAlive() const = 0;

 protected:
  WatchSession() = default;
};

}  // namespace stillframe

#endif  // STILLFRAME_WATCH_H_
