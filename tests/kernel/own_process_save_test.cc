// Saving regions of one's own process while its threads go on writing: the image equals a copy made
// at the instant.
#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/mapped_memory.h"
#include "stillframe/stillframe.h"
#include "support/core_file.h"
#include "support/temp_dir.h"

#ifdef __SANITIZE_ADDRESS__
// AddressSanitizer's allocator gives pages of freed blocks back to the kernel every 5 s, whoever
// may be saving them: pages lost, and rightly reported as such, that say nothing of the save. (Its
// flag, as compiler-rt's sanitizer_flags.inc has it.)
extern "C" const char* __asan_default_options() { return "allocator_release_to_os_interval_ms=-1"; }
#endif

namespace stillframe {
namespace {

AddressRange RangeOf(const void* begin, size_t size) {
  const auto address = reinterpret_cast<uint64_t>(begin);
  return {{address}, {address + size}};
}

// Writers that never stop but at a barrier, when asked to.
class Writers {
 public:
  Writers(std::byte* memory, size_t size, int count) : memory_(memory), size_(size) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, i] { Write(static_cast<uint64_t>(i) + 1); });
    }
  }
  ~Writers() {
    stop_ = true;
    Resume();
    for (std::thread& thread : threads_) thread.join();
  }
  void Quiesce() {
    asked_ = true;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return resting_ == threads_.size(); });
  }
  void Resume() {
    {
      const std::lock_guard lock(mutex_);
      asked_ = false;
    }
    changed_.notify_all();
  }
  uint64_t writes() const { return writes_; }

 private:
  void Write(uint64_t state) {
    while (!stop_) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      std::memcpy(memory_ + state % (size_ / 8) * 8, &state, 8);
      ++writes_;
      if (asked_) Rest();
    }
  }
  void Rest() {
    std::unique_lock lock(mutex_);
    ++resting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !asked_; });
    --resting_;
  }

  std::byte* memory_;
  size_t size_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> asked_ = false;
  std::atomic<uint64_t> writes_ = 0;
  size_t resting_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
};

// A copy of ranges of this process, made by the kernel into memory that is not armed.
class Copy {
 public:
  explicit Copy(std::vector<AddressRange> ranges) : ranges_(std::move(ranges)) {
    for (const AddressRange range : ranges_) memory_.emplace_back(range.size());
    for (MappedMemory& memory : memory_) memory.Populate();
  }
  // No allocation.
  bool Take() {
    for (size_t i = 0; i < ranges_.size(); ++i) {
      const iovec from{reinterpret_cast<void*>(ranges_[i].begin.value), ranges_[i].size().count};
      const iovec to{memory_[i].data(), memory_[i].size().count};
      if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != static_cast<ssize_t>(to.iov_len))
        return false;
    }
    return true;
  }
  void ExpectEquals(const std::string& image) const {
    const auto reader = ImageReader::Open(image);
    ASSERT_TRUE(reader) << reader.error().message;
    ASSERT_TRUE((*reader)->Verify());
    for (size_t i = 0; i < ranges_.size(); ++i) {
      std::vector<std::byte> saved(ranges_[i].size().count);
      const auto read = (*reader)->Read(ranges_[i].begin, saved);
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_EQ(std::memcmp(saved.data(), memory_[i].data(), saved.size()), 0) << "range " << i;
    }
  }
  void ExpectEqualsCore(const std::string& path) const {
    const auto core = test::CoreFile::Open(path);
    ASSERT_TRUE(core) << core.error().message;
    EXPECT_EQ((*core)->WrongInHeaders(), "");
    for (size_t i = 0; i < ranges_.size(); ++i) {
      std::vector<std::byte> saved(ranges_[i].size().count);
      ASSERT_TRUE((*core)->Read(ranges_[i].begin, saved)) << "range " << i;
      EXPECT_EQ(std::memcmp(saved.data(), memory_[i].data(), saved.size()), 0) << "range " << i;
    }
  }

 private:
  std::vector<AddressRange> ranges_;
  std::vector<MappedMemory> memory_;
};

Result<SaveSummary> SaveTo(std::unique_ptr<PageSink> sink, std::vector<AddressRange> ranges,
                           Quiesce quiesce, Copy* copy, SaveOptions options) {
  options.at_instant = [copy](pid_t) -> Result<void> {
    if (!copy->Take()) return Fail(ErrorCode::kInternal, "the copy failed");
    return {};
  };
  STILLFRAME_ASSIGN(auto target, OpenOwnProcess(std::move(ranges), std::move(quiesce)));
  STILLFRAME_ASSIGN(auto session,
                    SaveSession::Create(std::move(target), std::move(sink), std::move(options)));
  return session->Run();
}

Result<SaveSummary> Save(std::vector<AddressRange> ranges, Quiesce quiesce, Copy* copy,
                         const std::string& image, SaveOptions options = {}) {
  STILLFRAME_ASSIGN(auto sink, CreateImage({.path = image, .force = true}));
  return SaveTo(std::move(sink), std::move(ranges), std::move(quiesce), copy, std::move(options));
}

TEST(OwnProcessSaveTest, TheImageIsTheMemoryAtTheInstant) {
  const test::TempDir directory;
  const std::string image = directory / "image";
  MappedMemory memory(MiB(32));
  memory.Populate();
  Writers writers(memory.data(), memory.size().count, 3);
  const std::vector<AddressRange> ranges{RangeOf(memory.data(), memory.size().count)};
  for (int round = 0; round < 5; ++round) {
    Copy copy(ranges);
    const auto summary = Save(ranges,
                              {.quiesce = [&]() -> Result<void> {
                                 writers.Quiesce();
                                 return {};
                               },
                               .resume = [&] { writers.Resume(); }},
                              &copy, image);
    ASSERT_TRUE(summary) << summary.error().message;
    EXPECT_EQ(summary->total, ToPages(MiB(32)));
    EXPECT_EQ(summary->pages.lost, Pages{0});
    copy.ExpectEquals(image);
  }
  EXPECT_GT(writers.writes(), 0u);
}

TEST(OwnProcessSaveTest, HasNoLateInstant) {
  const test::TempDir directory;
  MappedMemory memory(MiB(1));
  const std::vector<AddressRange> ranges{RangeOf(memory.data(), memory.size().count)};
  Copy copy(ranges);
  const auto summary = Save(ranges, ParkAllThreads(SIGRTMIN + 3), &copy, directory / "image",
                            {.instant = Instant::kLate});
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code, ErrorCode::kUsage);
}

TEST(OwnProcessSaveTest, ASmallStageIsEnough) {
  const test::TempDir directory;
  const std::string image = directory / "image";
  MappedMemory memory(MiB(16));
  memory.Populate();
  Writers writers(memory.data(), memory.size().count, 2);
  const std::vector<AddressRange> ranges{RangeOf(memory.data(), memory.size().count)};
  Copy copy(ranges);
  const auto summary = Save(ranges, ParkAllThreads(SIGRTMIN + 3), &copy, image, {.stage = MiB(1)});
  ASSERT_TRUE(summary) << summary.error().message;
  copy.ExpectEquals(image);
}

// The heap of this very process, in use by two threads: the library's own allocations land in the
// memory that is armed.
class BusyHeap {
 public:
  BusyHeap() {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);  // everything comes from the heap
    for (int i = 0; i < 256; ++i) blocks_.push_back(std::make_unique<std::byte[]>(64 << 10));
    for (int t = 0; t < 2; ++t) {
      churners_.emplace_back([this] { Churn(); });
    }
  }
  ~BusyHeap() {
    stop_ = true;
    for (std::thread& churner : churners_) churner.join();
  }
  std::vector<AddressRange> ranges() const {
    // An allocator may hand out blocks in any order.
    const auto [first, last] = std::minmax_element(blocks_.begin(), blocks_.end());
    const auto page = [](const std::unique_ptr<std::byte[]>& block) {
      return TargetAddress{reinterpret_cast<uint64_t>(block.get()) & ~uint64_t{4095}};
    };
    return {{page(*first), page(*last)}};
  }
  // Writes to each page of it, as fast as it goes.
  void WriteAll() {
    for (const auto& block : blocks_) {
      for (size_t i = 0; i < 64 << 10; i += 4096) block[i] = std::byte{1};
    }
  }

 private:
  void Churn() {
    std::vector<std::unique_ptr<char[]>> live(64);
    for (uint64_t i = 0; !stop_; ++i) {
      live[i % live.size()] = std::make_unique<char[]>(1000 + i % 50'000);
      live[i % live.size()][i % 1000] = 'x';
    }
  }

  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> churners_;
};

TEST(OwnProcessSaveTest, EvenTheHeapItself) {
  const test::TempDir directory;
  const std::string image = directory / "image";
  const BusyHeap heap;
  for (int round = 0; round < 5; ++round) {
    Copy copy(heap.ranges());
    const auto summary =
        Save(heap.ranges(), ParkAllThreads(SIGRTMIN + 3), &copy, image, {.stage = MiB(1)});
    ASSERT_TRUE(summary) << summary.error().message;
    copy.ExpectEquals(image);
  }
}

// What a core keeps account of may lie in the memory that is armed as well.
TEST(OwnProcessSaveTest, TheHeapAsACore) {
  const test::TempDir directory;
  const std::string path = directory / "core";
  const BusyHeap heap;
  for (int round = 0; round < 3; ++round) {
    Copy copy(heap.ranges());
    auto sink = CreateCore({.path = path, .force = true});
    ASSERT_TRUE(sink) << sink.error().message;
    const auto summary = SaveTo(*std::move(sink), heap.ranges(), ParkAllThreads(SIGRTMIN + 3),
                                &copy, {.stage = MiB(1)});
    ASSERT_TRUE(summary) << summary.error().message;
    EXPECT_EQ(summary->pages.lost, Pages{0});
    copy.ExpectEqualsCore(path);
  }
}

// The thread that spills runs while the heap is armed, and must not wait for itself.
TEST(OwnProcessSaveTest, PagesOfTheHeapAreSpilled) {
  const test::TempDir directory;
  const std::string image = directory / "image";
  BusyHeap heap;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) heap.WriteAll();
  });
  Copy copy(heap.ranges());
  const auto summary = Save(heap.ranges(), ParkAllThreads(SIGRTMIN + 3), &copy, image,
                            {.max_bandwidth = MiB(16),
                             .stage = MiB(1),
                             .max_stall = std::chrono::minutes(1),
                             .on_full = OnFull::kSpill});
  stop = true;
  writer.join();
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_GT(summary->stage_spilled, MiB(1));
  copy.ExpectEquals(image);
}

TEST(OwnProcessSaveTest, AFullStageThatIsFinalGivesTheImageUp) {
  const test::TempDir directory;
  const std::string image = directory / "image";
  BusyHeap heap;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) heap.WriteAll();
  });
  Copy copy(heap.ranges());
  const auto summary = Save(heap.ranges(), ParkAllThreads(SIGRTMIN + 3), &copy, image,
                            {.max_bandwidth = KiB(64),
                             .stage = MiB(1),
                             .max_stall = std::chrono::hours(1),
                             .on_full = OnFull::kAbort});
  stop = true;
  writer.join();
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code, ErrorCode::kLimit);
  EXPECT_NE(access(image.c_str(), F_OK), 0);
}

TEST(OwnProcessSaveTest, AQuiesceThatFailsLeavesNothingBehind) {
  const test::TempDir directory;
  const std::string image = directory / "image";
  MappedMemory memory(MiB(1));
  memory.Populate();
  const std::vector<AddressRange> ranges{RangeOf(memory.data(), memory.size().count)};
  Copy copy(ranges);
  const auto summary = Save(
      ranges,
      {.quiesce = []() -> Result<void> { return Fail(ErrorCode::kLimit, "no rest to be had"); },
       .resume = [] {}},
      &copy, image);
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code, ErrorCode::kLimit);
  EXPECT_NE(access(image.c_str(), F_OK), 0);
  memory.data()[17] = std::byte{1};  // nothing is protected any more
}

}  // namespace
}  // namespace stillframe
