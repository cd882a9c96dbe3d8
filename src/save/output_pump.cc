#include "save/output_pump.h"

#include <algorithm>
#include <chrono>

#include "save/without_exceptions.h"

namespace stillframe {
namespace {

constexpr Duration kIdle = std::chrono::milliseconds(50);

}  // namespace

OutputPump::OutputPump(const RegionSet& regions, Stage& stage, Spill* spill, PausedCopies& copies,
                       PageSink& sink, OutputPacer& pacer)
    : regions_(regions),
      stage_(stage),
      spill_(spill),
      copies_(copies),
      sink_(sink),
      pacer_(pacer) {}

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
  auto staged = NextFaulted();
  if (!staged) {
    STILLFRAME_ASSIGN(const bool wrote, WriteSpilled());
    if (wrote) return true;
    const PausedCopies::Piece piece = copies_.Next(Stage::kLargestRun);
    if (!piece.memory.empty()) {
      STILLFRAME_TRY(Write(piece.address, piece.memory, PageSource::kPaused));
      return true;
    }
    staged = stage_.NextScanned();
  }
  if (!staged) return false;
  const Result<void> written = WriteStaged(*staged);
  stage_.Release(*staged);
  if (!written) return tl::unexpected(written.error());
  return true;
}

std::optional<StagedPages> OutputPump::NextFaulted() {
  auto staged = stage_.NextFaulted();
  if (!staged && spill_ != nullptr) staged = spill_->TakeBack();
  return staged;
}

Result<bool> OutputPump::WriteSpilled() {
  if (spill_ == nullptr) return false;
  STILLFRAME_ASSIGN(const std::optional<Spill::Page> spilled, spill_->Next());
  if (!spilled) return false;
  STILLFRAME_TRY(Write(regions_.AddressOf(spilled->page), spilled->memory, PageSource::kFaulted));
  return true;
}

Result<void> OutputPump::WriteStaged(const StagedPages& pages) {
  return Write(regions_.AddressOf(pages.pages.first), stage_.MemoryOf(pages), pages.source);
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
