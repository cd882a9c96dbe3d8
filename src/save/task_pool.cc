#include "stillframe/task_pool.h"

#include <glib.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <latch>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/service_thread.h"
#include "base/signals_blocked.h"
#include "base/thread_sanitizer.h"

namespace stillframe {
namespace {

constexpr size_t kMostThreads = 256;
constexpr size_t kMostByDefault = 16;

// Of a thread, as the kernel keeps it. Without the right to a lower nice value it keeps its own.
struct ThreadLook {
  std::string name;
  int nice;
  sigset_t blocked;

  void PutOn() const {
    prctl(PR_SET_NAME, name.c_str());
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), nice);
    pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
  }
};

ThreadLook LookOfService(int nice) {
  ThreadLook look{.name = std::string(kServiceThreadPrefix) + "pool", .nice = nice, .blocked = {}};
  sigfillset(&look.blocked);
  return look;
}

// What a thread of a pool that the calling thread started would have.
ThreadLook LookOfCaller() {
  ThreadLook look{.name = "pool", .nice = getpriority(PRIO_PROCESS, 0), .blocked = {}};
  pthread_sigmask(SIG_SETMASK, nullptr, &look.blocked);
  return look;
}

// Threads of GLib's that nobody else has tasks for, until we are gone: they come from a stock that
// all of the program draws from, and go back to it. What they are to do stands in a queue of ours:
// GLib's holds one pointer for each task, which only says that there is one more.
class GlibTaskPool final : public TaskPool {
 public:
  static Result<std::shared_ptr<TaskPool>> Start(size_t threads, int nice);
  GlibTaskPool(size_t threads, ThreadLook after) : threads_(threads), after_(std::move(after)) {}
  ~GlibTaskPool() override;

  void Push(std::function<void()> task) override;
  size_t threads() const override { return threads_; }

 private:
  Result<void> StartThreads();
  // Returns once each thread has that name, priority and mask.
  void PutOnAll(const ThreadLook& look);
  void AwaitAll();
  static void RunNext(gpointer, gpointer self);
  void RunNext();

  const size_t threads_;
  const ThreadLook after_;
  GThreadPool* pool_ = nullptr;
  std::mutex mutex_;
  std::deque<std::function<void()>> waiting_;
  size_t unfinished_ = 0;
  std::condition_variable finished_;
};

Result<std::shared_ptr<TaskPool>> GlibTaskPool::Start(size_t threads, int nice) {
  const ThreadLook caller = LookOfCaller();
  auto pool = std::make_shared<GlibTaskPool>(threads, caller);
  STILLFRAME_TRY(pool->StartThreads());
  // Before anybody has it: whoever parks threads would take one without the name for the
  // program's, and wait in vain for it to take a signal.
  pool->PutOnAll(LookOfService(caller.nice + nice));
  return pool;
}

Result<void> GlibTaskPool::StartThreads() {
  const AllSignalsBlocked blocked;
  GError* error = nullptr;
  TsanRelease(this);
  GThreadPool* const pool =
      g_thread_pool_new(&GlibTaskPool::RunNext, this, static_cast<gint>(threads_), TRUE, &error);
  if (error == nullptr) {
    pool_ = pool;
    return {};
  }
  // Those that were started before one could not be are there too.
  g_thread_pool_free(pool, TRUE, TRUE);
  const std::string message = error->message;
  g_error_free(error);
  return Fail(ErrorCode::kLimit,
              "starting a pool of " + std::to_string(threads_) + " threads: " + message,
              "look at the limits of threads and processes (ulimit -u, pids.max), or take fewer");
}

void GlibTaskPool::PutOnAll(const ThreadLook& look) {
  // Each waits for all others, so that none does it twice. Shared: one may still be on its way out
  // of its wait when we are back from ours.
  const auto all = std::make_shared<std::latch>(static_cast<ptrdiff_t>(threads_) + 1);
  for (size_t i = 0; i < threads_; ++i) {
    Push([all, look] {
      look.PutOn();
      all->arrive_and_wait();
    });
  }
  all->arrive_and_wait();
}

void GlibTaskPool::AwaitAll() {
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [this] { return unfinished_ == 0; });
}

GlibTaskPool::~GlibTaskPool() {
  if (pool_ == nullptr) return;
  AwaitAll();  // a thread may have pushed one while it ran another
  PutOnAll(after_);
  AwaitAll();
  g_thread_pool_free(pool_, FALSE, TRUE);
}

void GlibTaskPool::Push(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(task));
    ++unfinished_;
  }
  // All threads are there already, so that nothing can go wrong.
  g_thread_pool_push(pool_, this, nullptr);
}

void GlibTaskPool::RunNext(gpointer, gpointer self) {
  TsanAcquire(self);
  static_cast<GlibTaskPool*>(self)->RunNext();
}

void GlibTaskPool::RunNext() {
  std::function<void()> task;
  {
    const std::lock_guard lock(mutex_);
    task = std::move(waiting_.front());
    waiting_.pop_front();
  }
  task();
  task = nullptr;  // what it holds goes before anybody is told that it is done
  const std::lock_guard lock(mutex_);
  if (--unfinished_ == 0) finished_.notify_all();
}

}  // namespace

Result<std::shared_ptr<TaskPool>> StartTaskPool(size_t threads, int nice) {
  if (threads == 0 || threads > kMostThreads) {
    return Fail(ErrorCode::kUsage, "a pool of " + std::to_string(threads) + " threads can't be had",
                "it has 1 to " + std::to_string(kMostThreads));
  }
  return GlibTaskPool::Start(threads, nice);
}

size_t DefaultTaskThreads() {
  cpu_set_t ours;
  const bool known = sched_getaffinity(0, sizeof(ours), &ours) == 0;
  const size_t cpus =
      known ? static_cast<size_t>(CPU_COUNT(&ours)) : std::thread::hardware_concurrency();
  return std::clamp<size_t>(cpus, 1, kMostByDefault);
}

}  // namespace stillframe
