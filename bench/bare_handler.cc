#include "bare_handler.h"

#include <poll.h>
#include <sys/uio.h>

#include "support/machine.h"

namespace stillframe::bench {
namespace {

constexpr int kNice = -10;
constexpr int kPatienceMs = 5;

}  // namespace

BareHandler::BareHandler(const Target& target, const FaultChannel& channel, AddressRange range,
                         bool spins)
    : target_(target), channel_(channel), range_(range), page_(kPageSize.count) {
  if (channel.Register(range) != RegisterOutcome::kDone) Die("registering memory");
  OrDie("arming", channel.Arm(range));
  thread_ = ServiceThread("bare", kNice, [this, spins] { Serve(spins); });
}

BareHandler::~BareHandler() {
  stopping_ = true;
  thread_.join();
  channel_.Open(range_);
  channel_.Unregister(range_);
}

void BareHandler::Serve(bool spins) {
  const iovec to{.iov_base = page_.data(), .iov_len = page_.size()};
  while (!stopping_) {
    pollfd entry{.fd = channel_.descriptor(), .events = POLLIN, .revents = 0};
    if (!spins && poll(&entry, 1, kPatienceMs) <= 0) continue;
    const FaultMessages messages = channel_.Read(FaultMessages::kMost);
    for (size_t i = 0; i < messages.fault_count; ++i) {
      const TargetAddress page{messages.faults[i].address.value & ~(kPageSize.count - 1)};
      target_.Read(page, {&to, 1});
      channel_.Open({page, page + kPageSize});
    }
  }
}

}  // namespace stillframe::bench
