#include "save/linear_saver.h"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "base/fail_point.h"
#include "save/scan_order.h"

namespace stillframe {
namespace {

// Of pages that can't be copied just now: those that are there, armed, and can't be read, or are
// moved about. Any more are taken for lost, so that a save always ends.
constexpr uint64_t kMostFailedCopies = 100'000;
// For room, and for a fault before it is looked whether any page is left.
constexpr Duration kPatience = std::chrono::milliseconds(5);

void Nap() {
  const timespec moment{.tv_sec = 0, .tv_nsec = 20'000};
  nanosleep(&moment, nullptr);
}

}  // namespace

Result<void> LinearSaver::Run(const std::function<Result<void>()>& check) {
  const std::vector<PageRun> order = ScanOrder(parts_.memory.regions.regions());
  for (const PageRun hot : HotRuns(parts_.memory.regions.regions(), parts_.memory.arming.hot)) {
    STILLFRAME_TRY(WalkRegion(hot, check));
  }
  // Pages that moved while they were copied are left for the next walk, and so are those that the
  // tracker claimed and had to give back.
  do {
    for (const PageRun region : order) STILLFRAME_TRY(WalkRegion(region, check));
    STILLFRAME_TRY(check());
  } while (!AllSettled(order));
  parts_.policy.Observe(Sample());  // the last faults and runs, for whoever keeps count
  return {};
}

bool LinearSaver::AllSettled(std::span<const PageRun> order) const {
  const PageLedger& ledger = parts_.memory.ledger;
  for (const PageRun region : order) {
    for (PageRun left = region; !left.empty();) {
      const PageRun present = ledger.present.NextSet(left);
      if (!ledger.settled.NextClear(present).empty()) {
        Nap();
        return false;
      }
      left = {present.end(), left.end() - present.end()};
    }
  }
  return true;
}

Result<void> LinearSaver::WalkRegion(PageRun region, const std::function<Result<void>()>& check) {
  const Pages unit = parts_.memory.regions.RegionOf(region.first).unit();
  PageRun left = region;
  for (;;) {
    PageRun run = NextRun(left);
    if (run.empty()) return {};
    if (const uint64_t into = (run.first - region.first).count % unit.count; into != 0) {
      // Somebody is just claiming this huge page: its first page is taken already.
      const PageIndex next = run.first + Pages{unit.count - into};
      left = {next, left.end() - next};
      continue;
    }
    const Pages together = Together(run, unit);
    STILLFRAME_ASSIGN(const std::span<uint32_t> buffers, TakeBuffers(together, check));
    const Result<Pages> allowed = AskThrottle(left, check);
    if (!allowed || allowed->count == 0) {
      parts_.stage.PutBackRuns(buffers);
      if (!allowed) return tl::unexpected(allowed.error());
      return {};
    }
    const Pages room = parts_.stage.run_pages() * buffers.size();
    run.count = std::max(together, std::min({run.count, *allowed, room}));
    if (together == Pages{1}) run.count = BeforeHugePage(run);
    const Pages done = SaveRun(run, buffers);
    left = {run.first + done, left.end() - (run.first + done)};
    reason_ = ThrottleSample::Reason::kPushed;
    STILLFRAME_TRY(check());
  }
}

Pages LinearSaver::Together(PageRun run, Pages unit) const {
  const PageBitmap& huge = parts_.memory.arming.huge;
  if (unit.count > 1 || run.count < kHugePagePages || !huge.Test(run.first)) return unit;
  const TargetAddress begin = parts_.memory.regions.AddressOf(run.first);
  if (begin.value % kHugePage.count != 0) return unit;
  const bool fits = parts_.stage.run_pages() * parts_.stage.run_buffers() >= kHugePagePages;
  return fits && huge.NextClear({run.first, kHugePagePages}).empty() ? kHugePagePages : unit;
}

Pages LinearSaver::BeforeHugePage(PageRun run) const {
  if (run.count <= Pages{1}) return run.count;
  if (parts_.memory.arming.huge.Test(run.first)) {
    // One of which somebody has a part already: it is split as it is.
    const uint64_t at = ToPages(Bytes{parts_.memory.regions.AddressOf(run.first).value}).count;
    return std::min(run.count, Pages{kHugePagePages.count - at % kHugePagePages.count});
  }
  const PageRun rest{run.first + Pages{1}, run.count - Pages{1}};
  const PageRun huge = parts_.memory.arming.huge.NextSet(rest);
  return huge.empty() ? run.count : huge.first - run.first;
}

PageRun LinearSaver::NextRun(PageRun left) const {
  const PageLedger& ledger = parts_.memory.ledger;
  while (!left.empty()) {
    // A stretch is not followed beyond what one run can hold: its end may be many gigabytes away.
    const PageRun window{left.first, std::min(left.count, Pages{kMostPages})};
    const PageRun present = ledger.present.NextSet(window);
    const PageRun run = ledger.claimed.NextClear(present);
    const bool cut = !run.empty() && run.first != window.first && run.end() == window.end();
    if (!run.empty() && !cut) return run;
    // One that the window cuts is looked at again, with a window that begins where it does.
    const PageIndex next = cut ? run.first : present.empty() ? window.end() : present.end();
    left = {next, left.end() - next};
  }
  return left;
}

Result<std::span<uint32_t>> LinearSaver::TakeBuffers(Pages unit,
                                                     const std::function<Result<void>()>& check) {
  const uint64_t in_one = parts_.stage.run_pages().count;
  const std::span<uint32_t> buffers =
      std::span(buffers_).first(std::max<uint64_t>(1, (unit.count + in_one - 1) / in_one));
  while (!parts_.stage.TakeRuns(buffers)) {
    STILLFRAME_TRY(check());
    // The log's records are few, and slow faults are most likely just now.
    parts_.policy.Observe(Sample());
    parts_.stage.WaitForRoom(buffers.size(), kPatience);
  }
  return buffers;
}

ThrottleSample LinearSaver::Sample() {
  const TimePoint now = parts_.clock.Now();
  return {.now = now,
          .faults = parts_.log.Collect(now),
          .reason = reason_,
          .pushed = std::exchange(pushed_, Pages{0}),
          .stage_used = parts_.stage.used(),
          .stage_size = parts_.stage.size(),
          .sent = parts_.sink.counters().written};
}

Result<Pages> LinearSaver::AskThrottle(PageRun left, const std::function<Result<void>()>& check) {
  for (;;) {
    const ThrottleDecision decision = parts_.policy.Decide(Sample());
    holding_back_.store(decision.push.count == 0, std::memory_order_relaxed);
    if (decision.push.count > 0) return decision.push;
    STILLFRAME_ASSIGN(left, Poll(left, decision.poll, check));
    if (left.empty()) return Pages{0};
  }
}

Result<PageRun> LinearSaver::Poll(PageRun left, Duration poll,
                                  const std::function<Result<void>()>& check) {
  const TimePoint end = parts_.clock.Now() + poll;
  for (;;) {
    const Duration patience = std::min(kPatience, end - parts_.clock.Now());
    const bool arrived = parts_.log.WaitForArrival(std::max(Duration(0), patience));
    STILLFRAME_TRY(check());
    const PageRun next = NextRun(left);
    left = {next.first, left.end() - next.first};
    if (next.empty()) return next;
    if (!arrived && parts_.clock.Now() < end) continue;
    reason_ = arrived ? ThrottleSample::Reason::kPollFault : ThrottleSample::Reason::kPollTimeout;
    return left;
  }
}

PageRun LinearSaver::Claim(PageRun run) {
  PageLedger& ledger = parts_.memory.ledger;
  const Pages unit = parts_.memory.regions.RegionOf(run.first).unit();
  if (unit.count == 1) return ledger.claimed.ClaimPrefix(run);
  // A huge page is claimed by its first page: one step decides here as well.
  if (!ledger.claimed.TestAndSet(run.first)) return {run.first, Pages{0}};
  ledger.claimed.SetRun({run.first, unit});
  return {run.first, unit};
}

Pages LinearSaver::SaveRun(PageRun run, std::span<const uint32_t> buffers) {
  TrackedMemory& memory = parts_.memory;
  // Before the map is asked: a move that the map doesn't know yet is then found in the journal.
  const uint64_t journal_time = memory.journal.Now();
  const std::optional<Segment> at = memory.map.AtPage(run.first);
  // Of a page that is nowhere only that much is known, and nothing of those behind it.
  run.count = at ? std::min(run.count, at->pages.count) : memory.regions.RegionOf(run.first).unit();
  const PageRun claimed = Claim(run);
  if (claimed.empty()) {
    parts_.stage.PutBackRuns(buffers);
    return Pages{1};
  }
  if (!at) {
    // Another mapping was moved over it.
    parts_.stage.PutBackRuns(buffers);
    memory.ledger.unmapped.SetRun(claimed);
    Lose(claimed);
    return claimed.count;
  }

  const Pages copied = CopyInto(buffers, claimed, at->begin);
  const PageRun taken = KeepCopied(claimed, copied);
  if (taken.empty()) {
    parts_.stage.PutBackRuns(buffers);
    Nap();
    return Pages{1};
  }
  const AddressRange live{at->begin, at->begin + ToBytes(taken.count)};
  // Asked before the open too: pages that were moved here meanwhile would lose their marks by it.
  const bool stayed = !memory.journal.MovedInto(live, journal_time);
  const bool opened = stayed && Open(live);
  if (!opened || memory.journal.MovedInto(live, journal_time)) {
    // What was copied may be another page's, and this one may live elsewhere: from the map again.
    parts_.stage.PutBackRuns(buffers);
    GiveBack(taken);
    parts_.tracker.OnScanOpened();
    if (stayed && !opened) Nap();
    return opened ? taken.count : Pages{0};
  }
  for (size_t i = 0; i < taken.count.count; ++i) {
    proven_[i] = opened_[i] && i < copied.count && IsProven(entries_[i]) &&
                 !memory.ledger.unmapped.Test(taken.first + Pages{i});
  }
  // If anything moved since, a page that is not proven may only have gone elsewhere, armed as
  // before.
  SettleUnproven(taken, memory.journal.Now() != journal_time);
  HandOn(taken, buffers, std::span(proven_).first(taken.count.count));
  parts_.tracker.OnScanOpened();
  return taken.count;
}

Pages LinearSaver::CopyInto(std::span<const uint32_t> buffers, PageRun run, TargetAddress live) {
  const uint64_t in_one = parts_.stage.run_pages().count;
  size_t parts = 0;
  for (uint64_t done = 0; done < run.count.count; done += in_one, ++parts) {
    const Pages pages{std::min(in_one, run.count.count - done)};
    to_[parts] = {.iov_base = parts_.stage.RunMemory(buffers[parts]).data(),
                  .iov_len = ToBytes(pages).count};
  }
  const Region& region = parts_.memory.regions.RegionOf(run.first);
  const Pages copied =
      CopyPages(parts_.target, region, run.first, live, std::span(to_).first(parts),
                std::span(entries_).first(run.count.count));
  FailPoint("save.copied");
  return copied;
}

PageRun LinearSaver::KeepCopied(PageRun claimed, Pages copied) {
  const Pages unit = parts_.memory.regions.RegionOf(claimed.first).unit();
  if (copied == claimed.count || unit.count > 1) return claimed;
  // The page that stopped the copy. Armed it is as it was, and opened it would be lost: so it is
  // tried again, though not for ever.
  const bool again = IsProven(entries_[copied.count]) && ++failed_copies_ < kMostFailedCopies;
  const Pages keep{copied.count + (again ? 0 : 1)};
  // Those behind it were not looked at.
  GiveBack({claimed.first + keep, claimed.count - keep});
  return {claimed.first, keep};
}

void LinearSaver::GiveBack(PageRun run) {
  for (uint64_t i = 0; i < run.count.count; ++i) {
    parts_.memory.ledger.claimed.Clear(run.first + Pages{i});
  }
}

void LinearSaver::SettleUnproven(PageRun run, bool moved) {
  for (uint64_t i = 0; i < run.count.count; ++i) {
    if (proven_[i]) continue;
    const PageRun page{run.first + Pages{i}, Pages{1}};
    if (moved && ++failed_copies_ < kMostFailedCopies) {
      GiveBack(page);
    } else {
      // Discarded or unmapped, as the tracker noted, or without its mark.
      Lose(page);
    }
  }
}

void LinearSaver::Lose(PageRun run) {
  parts_.memory.ledger.settled.SetRun(run);
  parts_.memory.lost.fetch_add(run.count.count, std::memory_order_relaxed);
}

bool LinearSaver::Open(AddressRange range) {
  const size_t pages = range.pages().count;
  const OpenOutcome all = parts_.channel.Open(range);
  std::fill_n(opened_.begin(), pages, all == OpenOutcome::kOpened);
  if (all != OpenOutcome::kGone) return all == OpenOutcome::kOpened;
  // A mapping ends inside the range: what is left of it is opened page by page.
  for (size_t i = 0; i < pages; ++i) {
    const TargetAddress page = range.begin + kPageSize * i;
    const OpenOutcome one = parts_.channel.Open({page, page + kPageSize});
    if (one == OpenOutcome::kChanging) return false;
    opened_[i] = one == OpenOutcome::kOpened;
  }
  return true;
}

void LinearSaver::HandOn(PageRun run, std::span<const uint32_t> buffers,
                         std::span<const bool> proven) {
  PageLedger& ledger = parts_.memory.ledger;
  const uint64_t in_one = parts_.stage.run_pages().count;
  for (size_t b = 0; b < buffers.size(); ++b) {
    const size_t begin = std::min<size_t>(b * in_one, proven.size());
    const size_t end = std::min<size_t>(begin + in_one, proven.size());
    // Runs of proven pages; the buffer goes with the last of them.
    const auto pages = proven.subspan(begin, end - begin);
    const auto last = std::find(pages.rbegin(), pages.rend(), true);
    if (last == pages.rend()) {
      parts_.stage.PutBackRuns({&buffers[b], 1});
      continue;
    }
    const size_t stop = static_cast<size_t>(pages.rend() - last);
    for (size_t i = 0; i < stop;) {
      if (!pages[i]) {
        ++i;
        continue;
      }
      size_t j = i;
      while (j < stop && pages[j]) ++j;
      const PageRun part{run.first + Pages{begin + i}, Pages{j - i}};
      pushed_ += part.count;
      ledger.proven.SetRun(part);
      ledger.settled.SetRun(part);
      parts_.stage.PutScanned(part, buffers[b], static_cast<uint32_t>(i), j == stop);
      i = j;
    }
  }
}

}  // namespace stillframe
