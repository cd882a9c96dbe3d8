#include "base/service_thread.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <future>
#include <string>
#include <utility>

#include "base/signals_blocked.h"

namespace stillframe {
ServiceThread::ServiceThread(std::string_view name, int nice, std::function<void()> run) {
  const std::string full_name = std::string(kServiceThreadPrefix) + std::string(name);
  const int wanted = getpriority(PRIO_PROCESS, 0) + nice;
  std::promise<pid_t> started;
  std::future<pid_t> tid = started.get_future();
  const AllSignalsBlocked blocked;
  thread_ = std::thread(
      [wanted, full_name, run = std::move(run), started = std::move(started)]() mutable {
        prctl(PR_SET_NAME, full_name.c_str());
        setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), wanted);
        started.set_value(gettid());
        run();
      });
  tid_ = tid.get();
  has_its_priority_ = getpriority(PRIO_PROCESS, static_cast<id_t>(tid_)) == wanted;
}

}  // namespace stillframe
