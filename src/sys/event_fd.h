// Wakes one thread from another, or from a signal handler.
#ifndef STILLFRAME_SYS_EVENT_FD_H_
#define STILLFRAME_SYS_EVENT_FD_H_

#include "base/unique_fd.h"
#include "stillframe/units.h"

namespace stillframe {

// Thread rule: any thread. Notify is async-signal-safe.
class EventFd {
 public:
  // Throws std::bad_alloc when the process is out of descriptors.
  EventFd();

  int get() const { return fd_.get(); }
  void Notify() const;
  // Forgets earlier notifications.
  void Clear() const;
  // True when notified within `timeout`; forgets the notification.
  bool Wait(Duration timeout) const;

 private:
  UniqueFd fd_;
};

}  // namespace stillframe

#endif  // STILLFRAME_SYS_EVENT_FD_H_
