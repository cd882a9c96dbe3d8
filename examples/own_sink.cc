// A sink of one's own: counts how often each byte value occurs in a process, without any file.
// own_sink PID
#include <stillframe/stillframe.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace {

using stillframe::Pages;
using stillframe::Result;

class ByteCounter final : public stillframe::PageSink {
 public:
  explicit ByteCounter(std::array<uint64_t, 256>& counts) : counts_(counts) {}

  Result<void> Write(stillframe::TargetAddress, std::span<const std::byte> pages,
                     stillframe::PageSource source) override {
    if (interrupted_) return stillframe::Fail(stillframe::ErrorCode::kInterrupted, "interrupted");
    for (const std::byte byte : pages) ++counts_[std::to_integer<size_t>(byte)];
    Add(source == stillframe::PageSource::kFaulted  ? faulted_
        : source == stillframe::PageSource::kPaused ? paused_
                                                    : scanned_,
        stillframe::ToPages({pages.size()}));
    return {};
  }
  Result<void> Zero(stillframe::AddressRange range) override {
    counts_[0] += range.size().count;
    Add(zero_, range.pages());
    return {};
  }
  Result<void> Lost(stillframe::AddressRange range, std::string_view) override {
    Add(lost_, range.pages());
    return {};
  }
  Result<void> Finish(const stillframe::ImageMetadata&) override { return {}; }
  void Interrupt() override { interrupted_ = true; }

  stillframe::SinkCounters counters() const override {
    return {.zero = {zero_},
            .scanned = {scanned_},
            .faulted = {faulted_},
            .paused = {paused_},
            .lost = {lost_},
            .written = {}};
  }

 private:
  static void Add(std::atomic<uint64_t>& counter, Pages pages) { counter += pages.count; }

  std::array<uint64_t, 256>& counts_;
  std::atomic<bool> interrupted_ = false;
  // Read by any thread for the progress.
  std::atomic<uint64_t> zero_ = 0, scanned_ = 0, faulted_ = 0, paused_ = 0, lost_ = 0;
};

Result<stillframe::SaveSummary> Count(pid_t pid, std::array<uint64_t, 256>& counts) {
  STILLFRAME_ASSIGN(auto target, stillframe::AttachProcess(pid));
  STILLFRAME_ASSIGN(auto session,
                    stillframe::SaveSession::Create(std::move(target),
                                                    std::make_unique<ByteCounter>(counts), {}));
  return session->Run();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: own_sink PID\n");
    return 2;
  }
  std::array<uint64_t, 256> counts = {};
  const auto summary = Count(std::atoi(argv[1]), counts);
  if (!summary) {
    std::fprintf(stderr, "%s\n", summary.error().message.c_str());
    return 1;
  }
  uint64_t sum = 0;
  for (const uint64_t count : counts) sum += count;
  std::printf("%llu pages at one instant, %llu bytes of them zero\n",
              static_cast<unsigned long long>(sum / stillframe::kPageSize.count),
              static_cast<unsigned long long>(counts[0]));
  return sum == stillframe::ToBytes(summary->total - summary->pages.lost).count ? 0 : 1;
}
