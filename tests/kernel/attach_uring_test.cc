// io_uring's kernel workers stand in a process's list of threads, and are left alone.
#include <gtest/gtest.h>
#include <liburing.h>
#include <unistd.h>

#include "attach_child.h"

namespace stillframe::test {
namespace {

TEST(AttachUring, ReadInAWorkerGoesOn) {
  if (!CanAttach()) GTEST_SKIP();
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  Child child([&](Board& board) {
    io_uring ring;
    char byte = 0;
    if (io_uring_queue_init(8, &ring, 0) != 0) {
      board.failures = 1;
      board.ready = 1;
      return;
    }
    io_uring_sqe* request = io_uring_get_sqe(&ring);
    io_uring_prep_read(request, pipe_fds[0], &byte, 1, 0);
    io_uring_sqe_set_flags(request, IOSQE_ASYNC);  // in a worker, which blocks
    io_uring_submit(&ring);
    board.ready = 1;
    io_uring_cqe* result = nullptr;
    while (io_uring_wait_cqe(&ring, &result) != 0) {
    }
    board.value[0] = result->res;
    board.failures = byte == 'x' ? 0 : 1;
  });
  child.AwaitReady();
  if (child.board().failures != 0) GTEST_SKIP() << "no io_uring here";
  EXPECT_EQ(AttachAndPause(child.pid(), 10), "");
  auto target = AttachProcess(child.pid());
  ASSERT_TRUE(target.has_value());
  ASSERT_TRUE((*target)->Pause(std::chrono::seconds(2)).has_value());
  EXPECT_EQ((*target)->CaptureState()->threads.size(), 1u) << "a worker has no registers";
  ASSERT_TRUE((*target)->Resume().has_value());
  ASSERT_EQ(write(pipe_fds[1], "x", 1), 1);
  EXPECT_EQ(child.AwaitEnd(), 0);
  EXPECT_EQ(child.board().value[0], 1) << "-4 is EINTR";
  EXPECT_EQ(child.board().failures, 0u);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

}  // namespace
}  // namespace stillframe::test
