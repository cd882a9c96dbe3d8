// What goes past the page cache arrives whole, in order, and with every error told; and where that
// way can't be had, by the other.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "store/direct_alignment.h"
#include "store/direct_writer.h"
#include "store/file_store.h"
#include "store/write_ring.h"
#include "support/requirements.h"
#include "support/temp_dir.h"

namespace {

// What is done to calls into the kernel, and how often they came.
struct Calls {
  // Of the writes through io_uring: called with the number of each, from 1 on, before it is
  // submitted. Not 0: it isn't, and that is the answer.
  std::function<int(int, io_uring_sqe*)> on_write;
  // Of the calls that take room ahead, which one fails, from 1 on, and how.
  int failing_room = 0;
  int room_error = 0;
  int writes = 0;
  int rooms = 0;
};

Calls* calls = nullptr;

template <class Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// In place of those of the libraries.
extern "C" {

int io_uring_submit(io_uring* ring) {
  static auto* const real = Real<int(io_uring*)>("io_uring_submit");
  if (calls != nullptr) {
    io_uring_sqe* sqe = &ring->sq.sqes[(ring->sq.sqe_tail - 1) & *ring->sq.kring_mask];
    ++calls->writes;
    const int error = calls->on_write ? calls->on_write(calls->writes, sqe) : 0;
    if (error != 0) return -error;
  }
  return real(ring);
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
  if (calls != nullptr && ++calls->rooms == calls->failing_room) {
    errno = calls->room_error;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, length));
}

}  // extern "C"

namespace stillframe {
namespace {

using Names = std::vector<std::string>;
using Way = FileStore::Way;

constexpr uint64_t kHead = FileStore::kHead.count;
constexpr uint64_t kBuffer = DirectWriter::kBuffer.count;
constexpr uint64_t kAhead = DirectWriter::kAhead.count;

// As many bytes as any of these tests writes, no two parts alike.
std::span<const std::byte> Source() {
  static const std::vector<uint64_t> words = [] {
    std::vector<uint64_t> made((kHead + 2 * kAhead + 4 * kBuffer) / sizeof(uint64_t));
    std::mt19937_64 random(1);
    for (uint64_t& word : made) word = random();
    return made;
  }();
  return std::as_bytes(std::span(words));
}

iovec PartOf(std::span<const std::byte> bytes) {
  return {.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
}

// Appends the source from where the store stands up to `end`, in pieces of `piece` bytes.
Result<void> AppendUpTo(FileStore& store, uint64_t end, uint64_t piece = 256 * 1024) {
  while (store.position().count < end) {
    const uint64_t at = store.position().count;
    const iovec part = PartOf(Source().subspan(at, std::min(piece, end - at)));
    STILLFRAME_TRY(store.Append({&part, 1}));
  }
  return {};
}

bool Holds(const std::string& path, std::span<const std::byte> expected) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0) return false;
  if (static_cast<uint64_t>(status.st_size) != expected.size()) return false;
  std::vector<std::byte> buffer(kBuffer);
  for (size_t at = 0; at < expected.size();) {
    const ssize_t n = pread(file.get(), buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (n <= 0 || std::memcmp(buffer.data(), &expected[at], static_cast<size_t>(n)) != 0) {
      return false;
    }
    at += static_cast<size_t>(n);
  }
  return true;
}

void ExpectError(const Result<void>& result, ErrorCode code, const std::string& what) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_NE(result.error().message.find(what), std::string::npos) << result.error().message;
}

// Open descriptors and mappings: what is not given back grows.
struct Held {
  size_t descriptors = 0;
  size_t rings = 0;
  bool operator==(const Held&) const = default;
};

Held CountHeld() {
  Held held;
  DIR* directory = opendir("/proc/self/fd");
  while (const dirent* entry = readdir(directory)) {
    char target[64] = {};
    const ssize_t n = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);
    held.rings += n > 0 && std::strstr(target, "io_uring") != nullptr;
    ++held.descriptors;
  }
  closedir(directory);
  return held;
}

class StoreDirectTest : public testing::Test {
 protected:
  StoreDirectTest() { calls = &calls_; }
  ~StoreDirectTest() override { calls = nullptr; }

  // What is missing for the direct way in the directory of this test.
  std::string MissingDirect() const {
    const UniqueFd file(open(directory_.path().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (!file || !FindDirectAlignment(file.get()).known()) {
      return "direct writes in " + directory_.path();
    }
    WriteRing ring;
    return ring.Open(1) == 0 ? "" : "io_uring";
  }
  std::unique_ptr<FileStore> Open() { return OpenAt(path_); }
  static std::unique_ptr<FileStore> OpenAt(const std::string& path, bool direct = true) {
    auto store = FileStore::Open(path, {.direct = direct});
    EXPECT_TRUE(store) << store.error().message;
    return *std::move(store);
  }
  void ExpectWhole(FileStore& store, uint64_t size) {
    const auto published = store.Publish();
    ASSERT_TRUE(published) << published.error().message;
    EXPECT_TRUE(Holds(path_, Source().first(size))) << size;
  }

  Calls calls_;
  test::TempDir directory_;
  std::string path_ = directory_ / "image";
};

TEST_F(StoreDirectTest, BytesAreRightAroundEveryLimit) {
  STILLFRAME_REQUIRE(MissingDirect());
  const uint64_t all_buffers = DirectWriter::kBuffers * kBuffer;
  for (const uint64_t limit : {uint64_t{0}, uint64_t{4096}, kBuffer, all_buffers, kAhead}) {
    for (const int64_t beside : {-1, 0, 1, 511, 512, 513}) {
      if (limit == 0 && beside < 0) continue;
      const uint64_t size = kHead + limit + static_cast<uint64_t>(beside);
      calls_ = {};
      auto store = FileStore::Open(path_, {.force = true});
      ASSERT_TRUE(store);
      ASSERT_TRUE(AppendUpTo(**store, size));
      EXPECT_EQ((*store)->way(), size > kHead ? Way::kDirect : Way::kPageCache) << size;
      EXPECT_EQ((*store)->position().count, size);
      ExpectWhole(**store, size);
      EXPECT_EQ(static_cast<uint64_t>(calls_.writes), (size - kHead) / kBuffer) << size;
      // The room that was taken ahead is given back.
      struct stat status {};
      ASSERT_EQ(stat(path_.c_str(), &status), 0);
      EXPECT_LE(static_cast<uint64_t>(status.st_blocks) * 512, size + kBuffer);
    }
  }
}

TEST_F(StoreDirectTest, LittleNeverGoesPastThePageCache) {
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, kHead - 1, kHead}) {
    auto store = FileStore::Open(path_, {.force = true});
    ASSERT_TRUE(store);
    ASSERT_TRUE(AppendUpTo(**store, size));
    EXPECT_EQ((*store)->way(), Way::kPageCache);
    ExpectWhole(**store, size);
    EXPECT_EQ(calls_.rooms, 0);
    EXPECT_EQ(calls_.writes, 0);
  }
}

TEST_F(StoreDirectTest, ManySmallAppendsArriveInOrder) {
  const uint64_t size = kHead + 3 * kBuffer + 77;
  auto store = Open();
  // Across the change with each of them.
  for (uint64_t piece = 1; store->position().count < size; piece = piece % 9001 + 100) {
    const uint64_t end = std::min(size, store->position().count + piece);
    ASSERT_TRUE(AppendUpTo(*store, end, piece));
  }
  ExpectWhole(*store, size);
}

TEST_F(StoreDirectTest, ManyPartsAtOnceArriveInOrder) {
  const uint64_t size = kHead + 5 * kBuffer + 3;
  std::vector<iovec> parts;
  for (uint64_t at = 0, length = 0; at < size; at += length) {
    length =
        std::min<uint64_t>(size - at, parts.size() % 5 == 0 ? 0 : 1 + parts.size() * 37 % 9999);
    parts.push_back(PartOf(Source().subspan(at, length)));
  }
  auto store = Open();
  ASSERT_TRUE(store->Append(parts));
  EXPECT_EQ(store->position().count, size);
  ExpectWhole(*store, size);
}

TEST_F(StoreDirectTest, ThePageCacheHoldsNothingOfIt) {
  STILLFRAME_REQUIRE(MissingDirect());
  const uint64_t size = kHead + 32 * kBuffer;
  auto store = Open();
  ASSERT_TRUE(AppendUpTo(*store, size));
  ASSERT_TRUE(store->Publish());
  const UniqueFd file(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  void* mapped = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  std::vector<unsigned char> cached(size / kPageSize.count);
  ASSERT_EQ(mincore(mapped, size, cached.data()), 0);
  munmap(mapped, size);
  const auto is_cached = [](unsigned char page) { return (page & 1) != 0; };
  EXPECT_EQ(std::count_if(cached.begin() + kHead / kPageSize.count, cached.end(), is_cached), 0);
}

TEST_F(StoreDirectTest, InterruptedWithWritesOnTheirWayNothingIsLeft) {
  STILLFRAME_REQUIRE(MissingDirect());
  const Held before = CountHeld();
  for (const uint64_t more : {kBuffer, 7 * kBuffer + 5, 30 * kBuffer}) {
    auto store = Open();
    ASSERT_TRUE(AppendUpTo(*store, kHead + more));
    EXPECT_EQ(CountHeld().rings, 1u);
    store->Interrupt();
    ExpectError(AppendUpTo(*store, kHead + more + 1), ErrorCode::kInterrupted, "interrupted");
    ExpectError(store->Publish(), ErrorCode::kInterrupted, "interrupted");
    EXPECT_EQ(store->position().count, kHead + more);
    store.reset();
    EXPECT_EQ(CountHeld(), before);
    EXPECT_EQ(directory_.List(), Names{});
  }
}

TEST_F(StoreDirectTest, DestroyedWithWritesOnTheirWayNothingIsLeft) {
  STILLFRAME_REQUIRE(MissingDirect());
  const Held before = CountHeld();
  auto store = Open();
  ASSERT_TRUE(AppendUpTo(*store, kHead + 6 * kBuffer + 9));
  store.reset();
  EXPECT_EQ(CountHeld(), before);
  EXPECT_EQ(directory_.List(), Names{});
}

// A write that goes to a pipe instead is over when somebody reads.
TEST_F(StoreDirectTest, ItIsNotGoneBeforeItsWritesAreOver) {
  STILLFRAME_REQUIRE(MissingDirect());
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  std::vector<char> buffer(64 * 1024);
  while (write(writer.get(), buffer.data(), buffer.size()) > 0) {
  }
  ASSERT_EQ(fcntl(writer.get(), F_SETFL, 0), 0);
  calls_.on_write = [&writer](int number, io_uring_sqe* sqe) {
    if (number == 2) sqe->fd = writer.get();
    return 0;
  };
  auto store = Open();
  ASSERT_TRUE(AppendUpTo(*store, kHead + 3 * kBuffer));
  store->Interrupt();
  std::atomic<bool> gone = false;
  std::thread ending([&] {
    store.reset();
    gone = true;
  });
  // Long enough for one that doesn't wait.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(gone);
  while (!gone) {
    if (read(reader.get(), buffer.data(), buffer.size()) < 0) std::this_thread::yield();
  }
  ending.join();
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_F(StoreDirectTest, WhoeverAppendedMayEndBeforeTheWritesDo) {
  const uint64_t size = kHead + 6 * kBuffer + 9;
  for (int i = 0; i < 5; ++i) {
    auto store = FileStore::Open(path_, {.force = true});
    ASSERT_TRUE(store);
    Result<void> appended;
    std::thread([&] { appended = AppendUpTo(**store, size); }).join();
    ASSERT_TRUE(appended);
    ExpectWhole(**store, size);
  }
}

TEST_F(StoreDirectTest, AWriteThatWasCutShortIsFinished) {
  STILLFRAME_REQUIRE(MissingDirect());
  const uint64_t size = kHead + 20 * kBuffer + 5;
  for (const int which : {1, 3, 11}) {
    calls_ = {};
    calls_.on_write = [which](int number, io_uring_sqe* sqe) {
      if (number == which) sqe->len = 300 * 1024;
      return 0;
    };
    auto store = FileStore::Open(path_, {.force = true});
    ASSERT_TRUE(store);
    ASSERT_TRUE(AppendUpTo(**store, size));
    EXPECT_EQ((*store)->way(), Way::kPageCache);
    EXPECT_LT(calls_.writes, 20);
    ExpectWhole(**store, size);
  }
}

TEST_F(StoreDirectTest, ARefusedWriteGoesThroughThePageCache) {
  STILLFRAME_REQUIRE(MissingDirect());
  const uint64_t size = kHead + 20 * kBuffer + 5;
  for (const int which : {1, 3, 20}) {
    calls_ = {};
    // Of a kind that no kernel knows.
    calls_.on_write = [which](int number, io_uring_sqe* sqe) {
      if (number >= which) sqe->opcode = 255;
      return 0;
    };
    auto store = FileStore::Open(path_, {.force = true});
    ASSERT_TRUE(store);
    ASSERT_TRUE(AppendUpTo(**store, size));
    ExpectWhole(**store, size);
  }
}

TEST_F(StoreDirectTest, AWriteThatCannotBeBegunGoesThroughThePageCache) {
  STILLFRAME_REQUIRE(MissingDirect());
  const uint64_t size = kHead + 20 * kBuffer + 5;
  for (const int which : {1, 2, 20}) {
    calls_ = {};
    calls_.on_write = [which](int number, io_uring_sqe*) { return number == which ? EAGAIN : 0; };
    auto store = FileStore::Open(path_, {.force = true});
    ASSERT_TRUE(store);
    ASSERT_TRUE(AppendUpTo(**store, size));
    EXPECT_EQ(calls_.writes, which);
    ExpectWhole(**store, size);
  }
}

TEST_F(StoreDirectTest, AnErrorOfAnyWriteEndsTheSave) {
  STILLFRAME_REQUIRE(MissingDirect());
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  const uint64_t size = kHead + 20 * kBuffer + 5;
  for (const int which : {1, 7, 20}) {
    calls_ = {};
    calls_.on_write = [&full, which](int number, io_uring_sqe* sqe) {
      if (number == which) sqe->fd = full.get();
      return 0;
    };
    auto store = Open();
    Result<void> result = AppendUpTo(*store, size);
    if (which == 1) {
      EXPECT_FALSE(result);
    }
    if (result) result = store->Publish();
    ExpectError(result, ErrorCode::kOutput, "writing " + path_ + ": No space left on device");
    EXPECT_EQ(result.error().system_errno, ENOSPC);
    EXPECT_NE(result.error().hint.find("free some space"), std::string::npos);
    // It is not forgotten: there is a hole in the file.
    EXPECT_FALSE(store->Publish());
    store.reset();
    EXPECT_EQ(directory_.List(), Names{});
  }
}

TEST_F(StoreDirectTest, WithoutRoomAheadThePageCacheTakesTheRest) {
  STILLFRAME_REQUIRE(MissingDirect());
  const uint64_t size = kHead + 2 * kAhead + kBuffer + 1;
  for (const int which : {1, 2, 3}) {
    for (const int error : {ENOSPC, EOPNOTSUPP}) {
      calls_ = {};
      calls_.failing_room = which;
      calls_.room_error = error;
      auto store = FileStore::Open(path_, {.force = true});
      ASSERT_TRUE(store);
      ASSERT_TRUE(AppendUpTo(**store, size));
      EXPECT_EQ((*store)->way(), Way::kPageCache);
      // It is not asked for again.
      EXPECT_EQ(calls_.rooms, which);
      EXPECT_EQ(static_cast<uint64_t>(calls_.writes),
                static_cast<uint64_t>(which - 1) * kAhead / kBuffer);
      ExpectWhole(**store, size);
    }
  }
}

// Both the room that is taken ahead and the writes meet the limit.
TEST_F(StoreDirectTest, TheFileSizeLimitIsAnErrorAndNoSignal) {
  STILLFRAME_REQUIRE(MissingDirect());
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  for (const uint64_t limit : {kHead + kBuffer + 1000, kHead + kAhead, kHead + kAhead + 1000}) {
    auto store = Open();
    const rlimit small{.rlim_cur = limit, .rlim_max = old.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto result = AppendUpTo(*store, kHead + kAhead + 3 * kBuffer);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
    ExpectError(result, ErrorCode::kOutput, "File too large");
    EXPECT_NE(result.error().hint.find("ulimit"), std::string::npos);
    EXPECT_EQ(store->position().count, limit);
    sigset_t pending;
    sigpending(&pending);
    EXPECT_EQ(sigismember(&pending, SIGXFSZ), 0);
  }
  EXPECT_EQ(directory_.List(), Names{});
}

TEST_F(StoreDirectTest, NotWantedItIsNotTaken) {
  const uint64_t size = kHead + 3 * kBuffer + 1;
  auto store = OpenAt(path_, /*direct=*/false);
  ASSERT_TRUE(AppendUpTo(*store, size));
  EXPECT_EQ(store->way(), Way::kPageCache);
  EXPECT_EQ(calls_.rooms, 0);
  ExpectWhole(*store, size);
}

TEST_F(StoreDirectTest, AFileSystemInMemoryHasNoDirectWay) {
  if (access("/dev/shm", W_OK) != 0) GTEST_SKIP() << "no /dev/shm";
  path_ = "/dev/shm/stillframe-store-direct-" + std::to_string(getpid());
  auto store = OpenAt(path_);
  ASSERT_TRUE(AppendUpTo(*store, kHead + 2 * kBuffer));
  EXPECT_EQ(store->way(), Way::kPageCache);
  EXPECT_EQ(calls_.rooms, 0);
  ExpectWhole(*store, kHead + 2 * kBuffer);
  unlink(path_.c_str());
}

// Makes io_uring_setup fail with `error` in this process, as container runtimes do.
bool ForbidUring(int error) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(code), .filter = code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(StoreDirectTest, WhereUringIsForbiddenThePageCacheTakesAll) {
  const uint64_t size = kHead + 2 * kBuffer + 1;
  for (const int error : {EPERM, ENOSYS}) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      if (!ForbidUring(error)) _exit(2);
      auto store = FileStore::Open(path_, {.force = true});
      if (!store || !AppendUpTo(**store, size)) _exit(3);
      if ((*store)->way() != Way::kPageCache || calls_.rooms != 0) _exit(4);
      _exit((*store)->Publish() ? 0 : 5);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_TRUE(Holds(path_, Source().first(size)));
  }
}

// An ext4 of its own in a file, gone with it.
class LoopDisk {
 public:
  // `size` of the file system in MiB; `memory`: of the disk below it, in MiB.
  LoopDisk(const std::string& path, int size, int memory) : path_(path) {
    const std::string below = path + "-below";
    mkdir(below.c_str(), 0700);
    mkdir(path.c_str(), 0700);
    const std::string options = "size=" + std::to_string(memory) + "m";
    below_ = mount("none", below.c_str(), "tmpfs", 0, options.c_str()) == 0;
    const std::string file = below + "/disk";
    mounted_ = below_ && Run("truncate -s " + std::to_string(size) + "M " + file) &&
               Run("mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1,nodiscard " + file) &&
               Run("mount -o loop " + file + " " + path);
  }
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;
  ~LoopDisk() {
    // The loop device goes with its mount, and only then the file below it.
    if (mounted_) umount2(path_.c_str(), 0);
    if (below_) umount2((path_ + "-below").c_str(), MNT_DETACH);
  }
  std::string missing() const { return mounted_ ? "" : "a mount of a loop device"; }

 private:
  static bool Run(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
  }

  const std::string path_;
  bool below_ = false;
  bool mounted_ = false;
};

TEST_F(StoreDirectTest, AFullDiskIsToldAsEver) {
  STILLFRAME_REQUIRE(test::MissingRoot());
  const LoopDisk disk(directory_ / "disk", 128, 256);
  STILLFRAME_REQUIRE(disk.missing());
  path_ = directory_ / "disk/image";
  for (const bool direct : {true, false}) {
    auto store = OpenAt(path_, direct);
    const auto result = AppendUpTo(*store, kHead + 2 * kAhead);
    ExpectError(result, ErrorCode::kOutput, "writing " + path_ + ": No space left on device");
    EXPECT_NE(result.error().hint.find("free some space"), std::string::npos);
    // It was direct as long as there was room ahead, and the disk was used up to its end.
    EXPECT_EQ(calls_.writes, static_cast<int>(kAhead / kBuffer));
    EXPECT_GT(store->position().count, kHead + kAhead + 8 * kBuffer);
  }
  // All is given back, and what fits is written.
  const uint64_t size = kHead + kAhead + 9 * kBuffer + 3;
  auto store = OpenAt(path_);
  ASSERT_TRUE(AppendUpTo(*store, size));
  EXPECT_EQ(store->way(), Way::kPageCache);
  ExpectWhole(*store, size);
}

TEST_F(StoreDirectTest, ADiskThatFailsEndsTheSave) {
  STILLFRAME_REQUIRE(test::MissingRoot());
  const LoopDisk disk(directory_ / "disk", 256, 40);
  STILLFRAME_REQUIRE(disk.missing());
  path_ = directory_ / "disk/image";
  auto store = OpenAt(path_);
  Result<void> result = AppendUpTo(*store, kHead + kAhead);
  EXPECT_EQ(store->way(), Way::kPageCache);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kOutput) << result.error().message;
  EXPECT_TRUE(result.error().system_errno == EIO || result.error().system_errno == ENOSPC);
  EXPECT_GT(calls_.writes, 0);
  EXPECT_FALSE(store->Publish());
  store.reset();
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace stillframe
