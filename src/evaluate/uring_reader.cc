#include "evaluate/uring_reader.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "evaluate/check_failure.h"

namespace stillframe::evaluate {

std::unique_ptr<Uring> Uring::Create() {
  std::unique_ptr<Uring> ring(new Uring);
  io_uring_params parameters = {};
  if (io_uring_queue_init_params(16, &ring->ring_, &parameters) != 0) return nullptr;
  ring->made_ = true;
  return ring;
}

Uring::~Uring() {
  if (made_) io_uring_queue_exit(&ring_);
}

bool Uring::Register(std::byte* begin, size_t size) {
  const iovec buffer{.iov_base = begin, .iov_len = size};
  return io_uring_register_buffers(&ring_, &buffer, 1) == 0;
}

std::unique_ptr<UringReader> UringReader::Create(Buffers kind, size_t buffers,
                                                 const ScratchFile& file,
                                                 std::unique_ptr<Uring> ring, uint64_t seed) {
  std::unique_ptr<UringReader> reader(new UringReader(kind, buffers, file, std::move(ring), seed));
  const bool ready = kind == Buffers::kPlain ||
                     reader->ring_->Register(reader->memory_.data(), reader->memory_.size());
  return ready ? std::move(reader) : nullptr;
}

UringReader::UringReader(Buffers kind, size_t buffers, const ScratchFile& file,
                         std::unique_ptr<Uring> ring, uint64_t seed)
    : kind_(kind),
      file_(file),
      memory_(MappedMemory::Anonymous(buffers * kRunPages * kPageBytes)),
      ring_(std::move(ring)),
      holds_(buffers, 0),
      random_(seed) {}

void UringReader::Prepare() {
  for (size_t i = 0; i < holds_.size(); i += kAtOnce) {
    Read(i, std::min(kAtOnce, holds_.size() - i));
  }
}

void UringReader::PrepareRead(io_uring_sqe* sqe, size_t i) const {
  constexpr unsigned kSize = kRunPages * kPageBytes;
  if (kind_ == Buffers::kRegistered) {
    io_uring_prep_read_fixed(sqe, file_.fd(), Buffer(i), kSize, holds_[i] * kPageBytes, 0);
    return;  // never by a worker: its writes would go on while the process is stopped
  }
  io_uring_prep_read(sqe, file_.fd(), Buffer(i), kSize, holds_[i] * kPageBytes);
  // Every second one by a worker thread of the kernel, which no tracer can stop.
  if (i % 2 == 0) io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
}

void UringReader::Read(size_t first, size_t count) {
  for (size_t i = first; i < first + count; ++i) {
    holds_[i] = random_.Below(file_.pages() - kRunPages);
    PrepareRead(io_uring_get_sqe(ring_->get()), i);
  }
  size_t submitted = 0;
  while (submitted < count) {
    const int n = io_uring_submit(ring_->get());
    if (n < 0 && n != -EINTR && n != -EAGAIN) {
      errno = -n;
      FailCall(name(), "io_uring_submit");
    }
    if (n > 0) submitted += static_cast<size_t>(n);
  }
  for (size_t done = 0; done < count;) {
    io_uring_cqe* cqe = nullptr;
    const int error = io_uring_wait_cqe(ring_->get(), &cqe);
    if (error == -EINTR) continue;
    if (error != 0 || cqe->res != static_cast<int>(kRunPages * kPageBytes)) {
      errno = error != 0 ? -error : (cqe->res < 0 ? -cqe->res : EIO);
      FailCall(name(), "a read through io_uring");
    }
    io_uring_cqe_seen(ring_->get(), cqe);
    ++done;
  }
}

void UringReader::Check(size_t i) const {
  for (size_t k = 0; k < kRunPages; ++k) {
    file_.CheckPage(name(), holds_[i] + k, Buffer(i) + k * kPageBytes);
  }
}

void UringReader::Step() {
  const size_t first = random_.Below(holds_.size() / kAtOnce) * kAtOnce;
  const size_t count = std::min(kAtOnce, holds_.size() - first);
  for (size_t i = first; i < first + count; ++i) Check(i);
  Read(first, count);
  for (size_t i = first; i < first + count; ++i) Check(i);
}

void UringReader::CheckAll() {
  for (size_t i = 0; i < holds_.size(); ++i) Check(i);
}

void UringReader::Corrupt() {
  for (size_t i = 0; i < holds_.size(); ++i) Buffer(i)[kPageBytes + 9] ^= std::byte{0x10};
}

}  // namespace stillframe::evaluate
