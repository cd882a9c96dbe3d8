#include "save/linear_saver.h"

#include <sched.h>
#include <time.h>

#include <algorithm>

#include "base/fail_point.h"
#include "save/scan_order.h"

namespace stillframe {
namespace {

constexpr Duration kRoomPatience = std::chrono::milliseconds(5);

void Nap() {
  const timespec moment{.tv_sec = 0, .tv_nsec = 20'000};
  nanosleep(&moment, nullptr);
}

}  // namespace

Result<void> LinearSaver::Run(const std::function<Result<void>()>& check) {
  const std::vector<PageRun> order = ScanOrder(parts_.memory.regions.regions());
  // Pages that moved while they were copied are left for the next walk.
  for (bool again = true; again;) {
    again = false;
    for (const PageRun region : order) {
      STILLFRAME_ASSIGN(const bool worked, WalkRegion(region, check));
      again = again || worked;
    }
  }
  return check();
}

Result<bool> LinearSaver::WalkRegion(PageRun region, const std::function<Result<void>()>& check) {
  const Pages unit = parts_.memory.regions.RegionOf(region.first).unit();
  PageRun left = region;
  for (bool worked = false;; worked = true) {
    PageRun run = NextRun(left, Pages{kMostPages});
    if (run.empty()) return worked;
    if (const uint64_t into = (run.first - region.first).count % unit.count; into != 0) {
      // Somebody is just claiming this huge page: its first page is taken already.
      const PageIndex next = run.first + Pages{unit.count - into};
      left = {next, left.end() - next};
      continue;
    }
    STILLFRAME_ASSIGN(const std::span<uint32_t> buffers, TakeBuffers(unit, check));
    const Result<Pages> allowed = AskThrottle(check);
    if (!allowed) {
      parts_.stage.PutBackRuns(buffers);
      return tl::unexpected(allowed.error());
    }
    const Pages room = parts_.stage.run_pages() * buffers.size();
    run.count = std::max(unit, std::min({run.count, *allowed, room}));
    const Pages done = SaveRun(run, buffers);
    left = {run.first + done, left.end() - (run.first + done)};
    reason_ = ThrottleSample::Reason::kPushed;
    STILLFRAME_TRY(check());
  }
}

PageRun LinearSaver::NextRun(PageRun left, Pages limit) const {
  const PageLedger& ledger = parts_.memory.ledger;
  while (!left.empty()) {
    const PageRun present = ledger.present.NextSet(left);
    if (present.empty()) return present;
    PageRun run = ledger.claimed.NextClear(present);
    if (!run.empty()) {
      run.count = std::min(run.count, limit);
      return run;
    }
    left = {present.end(), left.end() - present.end()};
  }
  return {left.first, Pages{0}};
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
    parts_.stage.WaitForRoom(kRoomPatience);
  }
  return buffers;
}

ThrottleSample LinearSaver::Sample() {
  const TimePoint now = parts_.clock.Now();
  return {.now = now,
          .faults = parts_.log.Collect(now),
          .reason = reason_,
          .stage_used = parts_.stage.used(),
          .stage_size = parts_.stage.size(),
          .sent = parts_.sink.counters().written};
}

Result<Pages> LinearSaver::AskThrottle(const std::function<Result<void>()>& check) {
  for (;;) {
    const ThrottleDecision decision = parts_.policy.Decide(Sample());
    holding_back_.store(decision.push.count == 0, std::memory_order_relaxed);
    if (decision.push.count > 0) return decision.push;
    reason_ = parts_.log.WaitForArrival(decision.poll) ? ThrottleSample::Reason::kPollFault
                                                       : ThrottleSample::Reason::kPollTimeout;
    STILLFRAME_TRY(check());
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
  if (at) run.count = std::min(run.count, at->pages.count);
  const PageRun claimed = Claim(run);
  if (claimed.empty() || !at) {
    parts_.stage.PutBackRuns(buffers);
    if (claimed.empty()) return Pages{1};
    // Another mapping was moved over it.
    memory.ledger.unmapped.SetRun(claimed);
    memory.ledger.settled.SetRun(claimed);
    memory.lost.fetch_add(claimed.count.count, std::memory_order_relaxed);
    return claimed.count;
  }

  size_t n = claimed.count.count;
  const uint64_t in_one = parts_.stage.run_pages().count;
  for (size_t i = 0; i * in_one < n; ++i) {
    const uint64_t pages = std::min<uint64_t>(in_one, n - i * in_one);
    to_[i] = {.iov_base = parts_.stage.RunMemory(buffers[i]).data(),
              .iov_len = ToBytes(Pages{pages}).count};
  }
  const std::span<PagemapEntry> entries(entries_.data(), n);
  const Region& region = memory.regions.RegionOf(run.first);
  const Pages copied = CopyPages(parts_.target, region, claimed.first, at->begin,
                                 std::span(to_).first((n + in_one - 1) / in_one), entries);
  FailPoint("save.copied");
  if (copied.count < n && region.unit().count == 1) {
    // The page that stopped the copy is settled below; those behind it were not looked at, so they
    // go back.
    for (size_t i = copied.count + 1; i < n; ++i)
      memory.ledger.claimed.Clear(claimed.first + Pages{i});
    n = copied.count + 1;
  }
  const PageRun taken{claimed.first, Pages{n}};
  const AddressRange live{at->begin, at->begin + ToBytes(taken.count)};
  Open(live);
  const bool moved = memory.journal.MovedInto(live, journal_time);
  for (size_t i = 0; i < n; ++i) {
    proven_[i] = !moved && i < copied.count && IsProven(entries[i]);
  }
  HandOn(taken, buffers, std::span(proven_).first(n));
  parts_.tracker.OnScanOpened();
  for (size_t i = 0; i < n; ++i) {
    if (!proven_[i]) SettleUnproven(taken.first + Pages{i}, live.begin + kPageSize * i);
  }
  return taken.count;
}

void LinearSaver::Open(AddressRange range) const {
  for (;;) {
    switch (parts_.channel.Open(range)) {
      case OpenOutcome::kOpened:
        return;
      case OpenOutcome::kChanging:
        // The tracker is about to read the event, or looks after pages that are about to go.
        Nap();
        continue;
      case OpenOutcome::kGone:
        // A mapping ends inside the range: what is left of it is opened page by page.
        for (TargetAddress page = range.begin; page < range.end; page = page + kPageSize) {
          OpenUntilUnchanging({page, page + kPageSize});
        }
        return;
    }
  }
}

void LinearSaver::OpenUntilUnchanging(AddressRange page) const {
  while (parts_.channel.Open(page) == OpenOutcome::kChanging) Nap();
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
      ledger.proven.SetRun(part);
      ledger.settled.SetRun(part);
      parts_.stage.PutScanned(part, buffers[b], static_cast<uint32_t>(i), j == stop);
      i = j;
    }
  }
}

void LinearSaver::SettleUnproven(PageIndex page, TargetAddress copied_at) {
  TrackedMemory& memory = parts_.memory;
  const std::optional<Segment> at = memory.map.AtPage(page);
  if (at && at->begin != copied_at) {
    // It lives elsewhere by now, armed as before: back to whoever comes next.
    memory.ledger.claimed.Clear(page);
    return;
  }
  // Discarded or unmapped, as the tracker noted, or without its mark.
  memory.ledger.settled.TestAndSet(page);
  memory.lost.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace stillframe
