// An image on its way through a pipe, a FIFO, a socket or a device.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "store/store.h"
#include "store/stream_store.h"
#include "support/files.h"
#include "support/temp_dir.h"

namespace stillframe {
namespace {

struct Ends {
  UniqueFd read;
  UniqueFd write;
};

Ends MakePipe() {
  int fds[2];
  EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Ends MakeSocket() {
  int fds[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<void> AppendText(Store& store, const std::string& text) {
  const iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  return store.Append({&part, 1});
}

std::string ReadToEnd(int fd) {
  std::string text;
  std::array<char, 10000> piece;
  for (ssize_t n = 0; (n = read(fd, piece.data(), piece.size())) > 0;) {
    text.append(piece.data(), static_cast<size_t>(n));
  }
  return text;
}

std::string LongText() {
  std::string text;
  for (int i = 0; text.size() < (size_t{5} << 20); ++i) text += std::to_string(i) + " ";
  return text;
}

class EachStream : public testing::TestWithParam<Ends (*)()> {
 protected:
  Ends ends_ = GetParam()();
};

INSTANTIATE_TEST_SUITE_P(Kinds, EachStream, testing::Values(MakePipe, MakeSocket),
                         [](const auto& info) { return info.index == 0 ? "Pipe" : "Socket"; });

TEST_P(EachStream, AllArrivesInOrderAtASlowReader) {
  auto store = StreamStore::FromDescriptor(ends_.write.get());
  ASSERT_TRUE(store) << store.error().message;
  ends_.write.reset();
  std::string got;
  std::thread reader([&] { got = ReadToEnd(ends_.read.get()); });
  const std::string text = LongText();
  EXPECT_TRUE(AppendText(**store, text));
  EXPECT_TRUE((*store)->Publish());
  EXPECT_EQ((*store)->position().count, text.size());
  store->reset();
  reader.join();
  EXPECT_TRUE(got == text);
}

TEST_P(EachStream, TheDescriptorItselfStaysBlocking) {
  auto store = StreamStore::FromDescriptor(ends_.write.get());
  ASSERT_TRUE(store);
  ASSERT_TRUE(AppendText(**store, "x"));
  EXPECT_EQ(fcntl(ends_.write.get(), F_GETFL) & O_NONBLOCK, 0);
  store->reset();
  // And open.
  EXPECT_EQ(write(ends_.write.get(), "y", 1), 1);
}

TEST_P(EachStream, AReaderThatGoesAwayIsAnErrorAndNoSignal) {
  auto store = StreamStore::FromDescriptor(ends_.write.get());
  ASSERT_TRUE(store);
  ends_.read.reset();
  const auto result = AppendText(**store, "x");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kOutput);
  EXPECT_NE(result.error().message.find("the reader went away"), std::string::npos);
  sigset_t pending;
  ASSERT_EQ(sigpending(&pending), 0);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
  sigset_t mask;
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, nullptr, &mask), 0);
  EXPECT_EQ(sigismember(&mask, SIGPIPE), 0);
}

TEST_P(EachStream, AReaderThatGoesAwayWhileItIsWaitedForIsAnError) {
  auto store = StreamStore::FromDescriptor(ends_.write.get());
  ASSERT_TRUE(store);
  std::thread reader([&] {
    char byte;
    EXPECT_EQ(read(ends_.read.get(), &byte, 1), 1);
    ends_.read.reset();
  });
  const auto result = AppendText(**store, LongText());
  reader.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kOutput);
}

TEST_P(EachStream, InterruptEndsAWriteThatWaitsForItsReader) {
  auto store = StreamStore::FromDescriptor(ends_.write.get());
  ASSERT_TRUE(store);
  std::thread interrupter([&] {
    // Nobody reads, so that once something was written the rest waits.
    test::Eventually([&] { return (*store)->position().count > 0; });
    (*store)->Interrupt();
  });
  const auto result = AppendText(**store, LongText());
  interrupter.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(AppendText(**store, "x").error().code, ErrorCode::kInterrupted);
  EXPECT_EQ((*store)->Publish().error().code, ErrorCode::kInterrupted);
}

TEST(StreamStore, ASignalThatWasPendingBeforeStaysPending) {
  Ends ends = MakePipe();
  auto store = StreamStore::FromDescriptor(ends.write.get());
  ASSERT_TRUE(store);
  sigset_t pipe_signal, old, pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &pipe_signal, &old), 0);
  ASSERT_EQ(raise(SIGPIPE), 0);
  ends.read.reset();
  EXPECT_FALSE(AppendText(**store, "x"));
  ASSERT_EQ(sigpending(&pending), 0);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 1);
  const timespec now{};
  EXPECT_EQ(sigtimedwait(&pipe_signal, nullptr, &now), SIGPIPE);
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &old, nullptr), 0);
}

TEST(StreamStore, ARegularFileAsDescriptorIsWrittenFromItsPosition) {
  const test::TempDir directory;
  const UniqueFd file(open((directory / "file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(write(file.get(), "before ", 7), 7);
  auto store = OpenStore({.descriptor = file.get()});
  ASSERT_TRUE(store);
  ASSERT_TRUE(AppendText(**store, "image"));
  ASSERT_TRUE((*store)->Publish());
  EXPECT_EQ(test::ReadFile(directory / "file"), "before image");
}

TEST(StreamStore, WhatIsNoDescriptorForWritingIsRefused) {
  Ends ends = MakePipe();
  const int read_end = ends.read.get();
  EXPECT_EQ(OpenStore({.descriptor = read_end}).error().code, ErrorCode::kUsage);
  EXPECT_EQ(OpenStore({}).error().code, ErrorCode::kUsage);
  const UniqueFd directory(open("/", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(OpenStore({.descriptor = directory.get()}).error().code, ErrorCode::kUsage);
}

TEST(StreamStore, DevNullTakesEverythingAndStaysADevice) {
  auto store = OpenStore({.path = "/dev/null"});
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE(AppendText(**store, LongText()));
  ASSERT_TRUE((*store)->Publish());
  struct stat status;
  ASSERT_EQ(stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST(StreamStore, AFullDeviceIsOutOfSpace) {
  auto store = OpenStore({.path = "/dev/full"});
  ASSERT_TRUE(store);
  const auto result = AppendText(**store, "x");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kOutput);
  EXPECT_EQ(result.error().system_errno, ENOSPC);
}

TEST(StreamStore, AFifoWithItsReaderIsWritten) {
  const test::TempDir directory;
  ASSERT_EQ(mkfifo((directory / "fifo").c_str(), 0600), 0);
  std::string got;
  std::thread reader([&] {
    const UniqueFd fd(open((directory / "fifo").c_str(), O_RDONLY | O_CLOEXEC));
    got = ReadToEnd(fd.get());
  });
  auto store = OpenStore({.path = directory / "fifo"});
  EXPECT_TRUE(store);
  const std::string text = LongText();
  if (store) {
    EXPECT_TRUE(AppendText(**store, text));
    EXPECT_TRUE((*store)->Publish());
    store->reset();
  }
  reader.join();
  EXPECT_TRUE(got == text);
}

TEST(StreamStore, AFifoThatNobodyReadsIsNotWaitedForForEver) {
  const test::TempDir directory;
  ASSERT_EQ(mkfifo((directory / "fifo").c_str(), 0600), 0);
  const auto store = StreamStore::FromPath(directory / "fifo", std::chrono::milliseconds(50));
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kOutput);
  EXPECT_NE(store.error().hint.find("reader"), std::string::npos);
}

TEST(StreamStore, ASocketInTheFileSystemIsRefused) {
  const test::TempDir directory;
  ASSERT_EQ(mknod((directory / "socket").c_str(), S_IFSOCK | 0600, 0), 0);
  EXPECT_EQ(OpenStore({.path = directory / "socket"}).error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace stillframe
