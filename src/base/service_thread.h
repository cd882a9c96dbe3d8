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
  // prefix, at most 4 characters. `nice` is added to that of the thread that starts it; without the
  // right to it (below zero: CAP_SYS_NICE or RLIMIT_NICE) it runs as that one does. Throws
  // std::system_error where the system has no room for another thread.
  ServiceThread(std::string_view name, int nice, std::function<void()> run);
  ServiceThread(ServiceThread&&) = default;
  ServiceThread& operator=(ServiceThread&&) = default;

  pid_t tid() const { return tid_; }
  // It was given the priority that it was to have.
  bool has_its_priority() const { return has_its_priority_; }
  bool joinable() const { return thread_.joinable(); }
  void join() { thread_.join(); }
  // For one that ends by itself and needs nothing of anybody's.
  void detach() { thread_.detach(); }

 private:
  std::thread thread_;
  pid_t tid_ = 0;
  bool has_its_priority_ = false;
};

}  // namespace stillframe

#endif  // STILLFRAME_BASE_SERVICE_THREAD_H_
