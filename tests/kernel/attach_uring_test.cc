// io_uring's kernel workers stand in a process's list of threads, and are left alone.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "attach_child.h"

namespace stillframe::test {
namespace {

// Opening a FIFO that nobody writes to blocks, and a worker that is stopped in it fails with EINTR
// or worse.
TEST(AttachUring, BlockingCallInAWorkerGoesOn) {
  if (!CanAttach()) GTEST_SKIP();
  char directory[] = "/tmp/stillframe-fifo-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string fifo = std::string(directory) + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  Child child([&](Board& board) {
    io_uring ring;
    if (io_uring_queue_init(8, &ring, 0) != 0) {
      board.failures = 1;
      board.ready = 1;
      return;
    }
    io_uring_sqe* request = io_uring_get_sqe(&ring);
    io_uring_prep_openat(request, AT_FDCWD, fifo.c_str(), O_RDONLY, 0);
    io_uring_sqe_set_flags(request, IOSQE_ASYNC);  // in a worker
    io_uring_submit(&ring);
    board.ready = 1;
    io_uring_cqe* result = nullptr;
    while (io_uring_wait_cqe(&ring, &result) != 0) {
    }
    board.value[0] = result->res;
  });
  child.AwaitReady();
  if (child.board().failures != 0) GTEST_SKIP() << "no io_uring here";
  // The worker is there, and is blocked.
  ASSERT_TRUE(Eventually([&] { return child.StatusField("Threads") == "2"; }));
  usleep(20'000);
  EXPECT_EQ(AttachAndPause(child.pid(), 10), "");
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value());
  ASSERT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
  EXPECT_EQ((*target)->CaptureState()->threads.size(), 1u) << "a worker has no registers";
  ASSERT_TRUE((*target)->Resume().has_value());
  EXPECT_EQ(child.board().value[0], 0) << "it came back";
  const int writer = open(fifo.c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_GT(child.board().value[0], 0) << "a descriptor; -4 is EINTR";
  close(writer);
  unlink(fifo.c_str());
  rmdir(directory);
}

}  // namespace
}  // namespace stillframe::test
