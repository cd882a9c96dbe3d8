// A thread of our own inside somebody's program.
#ifndef STILLFRAME_BASE_SERVICE_THREAD_H_
#define STILLFRAME_BASE_SERVICE_THREAD_H_

#include <sys/types.h>

#include <functional>
#include <string_view>
#include <thread>

namespace stillframe {

// What the names of all such threads begin with: whoever parks the threads of a program leaves
// these out.
inline constexpr std::string_view kServiceThreadPrefix = "stillframe-";

// Takes no signals, so that no handler of the program runs on it. Thread rule: that of std::thread.
class ServiceThread {
 public:
  ServiceThread() = default;
  // Returns when the thread has its name, its priority and its number. `name` comes behind the
  // prefix, at most 4 characters. `nice` as for setpriority(2); without the right to it, it stays
  // as it is. Throws std::system_error where the system has no room for another thread.
  ServiceThread(std::string_view name, int nice, std::function<void()> run);
  ServiceThread(ServiceThread&&) = default;
  ServiceThread& operator=(ServiceThread&&) = default;

  pid_t tid() const { return tid_; }
  bool joinable() const { return thread_.joinable(); }
  void join() { thread_.join(); }
  // For one that ends by itself and needs nothing of anybody's.
  void detach() { thread_.detach(); }

 private:
  std::thread thread_;
  pid_t tid_ = 0;
};

}  // namespace stillframe

#endif  // STILLFRAME_BASE_SERVICE_THREAD_H_
