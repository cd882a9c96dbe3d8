#include "store/write_ring.h"

#include <cerrno>

namespace stillframe {

int WriteRing::Open(unsigned entries) {
  // Completions are looked at when there is something to write, so none need interrupt us (5.19).
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_COOP_TASKRUN;
  int result = io_uring_queue_init_params(entries, &ring_, &parameters);
  if (result == -EINVAL) {
    parameters = {};
    result = io_uring_queue_init_params(entries, &ring_, &parameters);
  }
  open_ = result == 0;
  return -result;
}

void WriteRing::Close() {
  if (open_) io_uring_queue_exit(&ring_);
  open_ = false;
}

int WriteRing::Begin(int fd, std::span<const std::byte> bytes, uint64_t offset, size_t token) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) return EBUSY;
  io_uring_prep_write(sqe, fd, bytes.data(), static_cast<unsigned>(bytes.size()), offset);
  io_uring_sqe_set_data64(sqe, token);
  int begun = 0;
  do {
    begun = io_uring_submit(&ring_);
  } while (begun == -EINTR);
  if (begun == 1) return 0;
  return begun < 0 ? -begun : EAGAIN;
}

int WriteRing::Wait(Completion* completion) {
  io_uring_cqe* cqe = nullptr;
  int result = 0;
  do {
    result = io_uring_wait_cqe(&ring_, &cqe);
  } while (result == -EINTR);
  if (result == 0) Take(cqe, completion);
  return -result;
}

bool WriteRing::Poll(Completion* completion) {
  io_uring_cqe* cqe = nullptr;
  if (io_uring_peek_cqe(&ring_, &cqe) != 0) return false;
  Take(cqe, completion);
  return true;
}

void WriteRing::Take(io_uring_cqe* cqe, Completion* completion) {
  *completion = {.token = static_cast<size_t>(io_uring_cqe_get_data64(cqe)), .result = cqe->res};
  io_uring_cqe_seen(&ring_, cqe);
}

}  // namespace stillframe
