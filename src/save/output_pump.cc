#include "save/output_pump.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "save/without_exceptions.h"

namespace stillframe {
namespace {

constexpr Duration kIdle = std::chrono::milliseconds(50);

}  // namespace

OutputPump::OutputPump(const RegionSet& regions, Stage& stage, Spill* spill, PausedCopies& copies,
                       PageSink& sink, OutputPacer& pacer, Pages longest_run)
    : regions_(regions),
      stage_(stage),
      spill_(spill),
      copies_(copies),
      sink_(sink),
      pacer_(pacer),
      longest_run_(std::min(longest_run, kLongestRun).count) {}

OutputPump::~OutputPump() { Stop(); }

void OutputPump::Start(int nice) {
  thread_ = ServiceThread("out", nice, [this] { Run(); });
}

void OutputPump::Run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    // Read before the stage is looked at: what was put in before it was set is then seen.
    const bool finishing = finishing_.load(std::memory_order_acquire);
    const Result<bool> wrote = WithoutExceptions("while writing", [this] { return WriteOne(); });
    if (!wrote) {
      result_ = tl::unexpected(wrote.error());
      failed_.store(true, std::memory_order_release);
      return;
    }
    if (*wrote) continue;
    if (finishing) return;
    stage_.WaitForStaged(kIdle);
  }
}

Result<bool> OutputPump::WriteOne() {
  STILLFRAME_ASSIGN(bool wrote, WriteFaulted());
  if (wrote) return true;
  STILLFRAME_ASSIGN(wrote, WriteSpilled());
  if (wrote) return true;
  const PausedCopies::Piece piece = copies_.Next(Stage::kLargestRun);
  if (!piece.memory.empty()) {
    STILLFRAME_TRY(Write(piece.address, piece.memory, PageSource::kPaused));
    return true;
  }
  const auto scanned = stage_.NextScanned();
  if (!scanned) return false;
  const Result<void> written = Write(regions_.AddressOf(scanned->pages.first),
                                     stage_.MemoryOf(*scanned), PageSource::kScanned);
  stage_.Release(*scanned);
  if (!written) return tl::unexpected(written.error());
  return true;
}

std::optional<StagedPages> OutputPump::NextFaulted() {
  if (put_off_) return std::exchange(put_off_, std::nullopt);
  auto staged = stage_.NextFaulted();
  if (!staged && spill_ != nullptr) staged = spill_->TakeBack();
  return staged;
}

Result<bool> OutputPump::WriteFaulted() {
  const auto first = NextFaulted();
  if (!first) return false;
  const TargetAddress address = regions_.AddressOf(first->pages.first);
  const std::byte* const memory = stage_.MemoryOf(*first).data();
  run_[0] = *first;
  size_t count = 1;
  for (; count < MostInRun(); ++count) {
    const auto next = NextFaulted();
    if (!next) break;
    const Bytes size = kPageSize * count;
    if (regions_.AddressOf(next->pages.first) != address + size ||
        stage_.MemoryOf(*next).data() != memory + size.count) {
      put_off_ = next;
      break;
    }
    run_[count] = *next;
  }
  const Result<void> written =
      Write(address, {memory, kPageSize.count * count}, PageSource::kFaulted);
  for (const StagedPages& page : std::span(run_).first(count)) stage_.Release(page);
  if (!written) return tl::unexpected(written.error());
  return true;
}

Result<bool> OutputPump::WriteSpilled() {
  if (spill_ == nullptr) return false;
  STILLFRAME_ASSIGN(std::optional<Spill::Page> page, spill_->Next());
  while (page) {
    const TargetAddress address = regions_.AddressOf(page->page);
    const std::byte* const memory = page->memory.data();
    size_t count = 0;
    do {
      page = spill_->NextAfter(*page);
      ++count;
    } while (page && count < MostInRun() &&
             regions_.AddressOf(page->page) == address + kPageSize * count);
    STILLFRAME_TRY(Write(address, {memory, kPageSize.count * count}, PageSource::kFaulted));
    if (!page) return true;
  }
  return false;
}

size_t OutputPump::MostInRun() const {
  return std::min(longest_run_, ToPages(pacer_.LargestWrite()).count);
}

Result<void> OutputPump::Write(TargetAddress address, std::span<const std::byte> memory,
                               PageSource source) {
  while (!memory.empty()) {
    const auto piece = memory.first(std::min<size_t>(memory.size(), pacer_.LargestWrite().count));
    STILLFRAME_TRY(sink_.Write(address, piece, source));
    address = address + Bytes{piece.size()};
    memory = memory.subspan(piece.size());
  }
  return {};
}

Result<void> OutputPump::Finish() {
  finishing_.store(true, std::memory_order_release);
  stage_.WakeAll();
  if (thread_.joinable()) thread_.join();
  return result_;
}

void OutputPump::Stop() {
  stopping_.store(true, std::memory_order_release);
  stage_.WakeAll();
  if (thread_.joinable()) thread_.join();
}

}  // namespace stillframe
