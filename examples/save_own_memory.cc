// Saves memory of its own while threads write it, twice: the instant made by callbacks of the
// program's own, and by parking all other threads with a signal. save_own_memory IMAGE1 IMAGE2
//
// Two threads count up one pair of counters each, always both together, so that an image of one
// instant holds equal ones.
#include <signal.h>
#include <stillframe/stillframe.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using stillframe::AddressRange;
using stillframe::TargetAddress;

constexpr size_t kSize = 64 << 20;

struct Pair {
  std::atomic<uint64_t> first;
  std::array<char, 8192> apart;  // on another page
  std::atomic<uint64_t> second;
};

class Counters {
 public:
  Counters()
      : memory_(static_cast<char*>(
            mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    if (memory_ == MAP_FAILED) std::abort();
    std::memset(memory_ + kSize / 2, 1, kSize / 2);
    for (size_t i = 0; i < locks_.size(); ++i) threads_.emplace_back([this, i] { Count(i); });
  }
  ~Counters() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    munmap(memory_, kSize);
  }

  AddressRange range() const {
    const TargetAddress begin{reinterpret_cast<uint64_t>(memory_)};
    return {begin, begin + stillframe::Bytes{kSize}};
  }
  // The threads write only while they hold their lock, so whoever holds all of them sees a quiet
  // moment.
  void Lock() {
    for (std::mutex& lock : locks_) lock.lock();
  }
  void Unlock() {
    for (std::mutex& lock : locks_) lock.unlock();
  }
  size_t OffsetOf(size_t thread) const { return thread * 65536; }

 private:
  void Count(size_t thread) {
    auto* pair = reinterpret_cast<Pair*>(memory_ + OffsetOf(thread));
    while (!stop_) {
      const std::lock_guard lock(locks_[thread]);
      ++pair->first;
      ++pair->second;
    }
  }

  char* memory_;
  std::atomic<bool> stop_ = false;
  std::array<std::mutex, 2> locks_;
  std::vector<std::thread> threads_;
};

bool Save(const Counters& counters, stillframe::Quiesce quiesce, const char* path) {
  auto sink = stillframe::CreateImage({.path = path, .force = true});
  if (!sink) return std::fprintf(stderr, "%s\n", sink.error().message.c_str()), false;
  auto target = stillframe::OpenOwnProcess({counters.range()}, std::move(quiesce));
  if (!target) return std::fprintf(stderr, "%s\n", target.error().message.c_str()), false;
  auto session = stillframe::SaveSession::Create(*std::move(target), *std::move(sink), {});
  if (!session) return std::fprintf(stderr, "%s\n", session.error().message.c_str()), false;
  const auto summary = (*session)->Run();
  if (!summary) return std::fprintf(stderr, "%s\n", summary.error().message.c_str()), false;
  return true;
}

// How far the two counters of a thread are apart in the image, or -1.
int64_t Difference(const Counters& counters, size_t thread, const char* path) {
  const auto image = stillframe::ImageReader::Open(path);
  if (!image) return -1;
  const TargetAddress at = counters.range().begin + stillframe::Bytes{counters.OffsetOf(thread)};
  uint64_t first = 0;
  uint64_t second = 0;
  if (!(*image)->Read(at, std::as_writable_bytes(std::span(&first, 1))) ||
      !(*image)->Read(at + stillframe::Bytes{offsetof(Pair, second)},
                      std::as_writable_bytes(std::span(&second, 1)))) {
    return -1;
  }
  return static_cast<int64_t>(first - second);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: save_own_memory IMAGE1 IMAGE2\n");
    return 2;
  }
  Counters counters;
  const stillframe::Quiesce by_locks = {.quiesce = [&]() -> stillframe::Result<void> {
                                          counters.Lock();
                                          return {};
                                        },
                                        .resume = [&] { counters.Unlock(); }};
  if (!Save(counters, by_locks, argv[1])) return 1;
  // Parked in the middle of a pair a thread may be one step ahead, but no more.
  if (!Save(counters, stillframe::ParkAllThreads(SIGRTMIN), argv[2])) return 1;

  for (size_t thread = 0; thread < 2; ++thread) {
    const int64_t locked = Difference(counters, thread, argv[1]);
    const int64_t parked = Difference(counters, thread, argv[2]);
    std::printf("thread %zu: %lld apart by locks, %lld by parking\n", thread,
                static_cast<long long>(locked), static_cast<long long>(parked));
    if (locked != 0 || parked < 0 || parked > 1) return 1;
  }
  return 0;
}
