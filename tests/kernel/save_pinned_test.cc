// Buffers registered with an io_uring are found, whoever of the target holds the ring.
#include <gtest/gtest.h>
#include <liburing.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <thread>
#include <vector>

#include "attach_child.h"
#include "save/pinned_pages.h"
#include "stillframe/target.h"

namespace stillframe::test {
namespace {

constexpr size_t kBufferBytes = 5 * 4096;

// Registers a buffer with a ring, and tells where it is.
void Register(Board& board) {
  static io_uring ring;
  void* buffer =
      mmap(nullptr, kBufferBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const iovec part{.iov_base = buffer, .iov_len = kBufferBytes};
  if (buffer == MAP_FAILED || io_uring_queue_init(4, &ring, 0) != 0 ||
      io_uring_register_buffers(&ring, &part, 1) != 0) {
    board.failures = 1;
  }
  board.value[0] = static_cast<int64_t>(reinterpret_cast<uint64_t>(buffer));
}

void AwaitStop(Board& board) {
  while (board.stop == 0) usleep(1000);
}

void ExpectFound(const Child& child) {
  ASSERT_EQ(child.board().failures, 0u) << "io_uring is not to be had here";
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  const auto mappings = (*target)->ReadMappings(false);
  ASSERT_TRUE(mappings.has_value());
  PinnedMemory pinned;
  const auto looked = pinned.Look(**target, *mappings);
  ASSERT_TRUE(looked.has_value()) << looked.error().message;
  EXPECT_FALSE(pinned.empty());
  EXPECT_EQ(pinned.size(), Bytes{kBufferBytes});
  const auto found = pinned.Find(**target, *mappings);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(static_cast<int64_t>(found->front().begin.value), child.board().value[0]);
  EXPECT_EQ(found->front().size(), Bytes{kBufferBytes});
}

TEST(SavePinned, TheOneTableOfAProcess) {
  if (!CanAttach()) GTEST_SKIP();
  const Child child([](Board& board) {
    Register(board);
    board.ready = 1;
    AwaitStop(board);
  });
  child.AwaitReady();
  ExpectFound(child);
}

TEST(SavePinned, TheTableOfAThreadThatHasOneOfItsOwn) {
  if (!CanAttach()) GTEST_SKIP();
  const Child child([](Board& board) {
    std::thread other([&board] {
      if (unshare(CLONE_FILES) != 0) board.failures = 1;
      Register(board);
      board.ready = 1;
      AwaitStop(board);
    });
    other.join();
  });
  child.AwaitReady();
  ExpectFound(child);
}

TEST(SavePinned, AfterTheLeaderHasExited) {
  if (!CanAttach()) GTEST_SKIP();
  const Child child([](Board& board) {
    Register(board);
    std::thread([&board] {
      AwaitStop(board);
      _exit(0);
    }).detach();
    board.ready = 1;
    syscall(SYS_exit, 0);  // only this thread
  });
  child.AwaitReady();
  EXPECT_TRUE(Eventually([&] { return child.State(child.pid()) == "Z"; }));
  ExpectFound(child);
}

// A ring that is registered with itself may be closed and used on.
TEST(SavePinned, AMappedRingWithoutADescriptorIsRefused) {
  if (!CanAttach()) GTEST_SKIP();
  const Child child([](Board& board) {
    board.ready = 1;
    AwaitStop(board);
  });
  child.AwaitReady();
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value()) << target.error().message;
  auto mappings = (*target)->ReadMappings(false);
  ASSERT_TRUE(mappings.has_value());
  PinnedMemory pinned;
  ASSERT_TRUE(pinned.Look(**target, *mappings).has_value());
  EXPECT_TRUE(pinned.empty());
  EXPECT_TRUE(pinned.Find(**target, *mappings)->empty());
  mappings->front().name = "anon_inode:[io_uring]";
  const auto found = pinned.Find(**target, *mappings);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace stillframe::test
