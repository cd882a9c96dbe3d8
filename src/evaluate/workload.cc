#include "evaluate/workload.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "evaluate/check_failure.h"
#include "evaluate/constant_pages.h"
#include "evaluate/direct_reader.h"
#include "evaluate/discarder.h"
#include "evaluate/file_overwriter.h"
#include "evaluate/latency_report.h"
#include "evaluate/malloc_churn.h"
#include "evaluate/protector.h"
#include "evaluate/random_writer.h"
#include "evaluate/remapper.h"
#include "evaluate/sequential_writer.h"
#include "evaluate/shared_writer.h"
#include "evaluate/spawner.h"
#include "evaluate/thread_churn.h"
#include "evaluate/ticket_writer.h"

namespace stillframe::evaluate {
namespace {

// Steps per second of the parts that no option paces: enough for several within any save, not so
// many that they starve the writers.
constexpr double kMemoryPartRate = 200;
constexpr double kReaderRate = 200;
constexpr double kConstantRate = 20;
constexpr double kThreadRate = 50;
constexpr double kSpawnRate = 10;

constexpr size_t kFilePages = 2048;

int64_t Microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

}  // namespace

Workload::Workload(const WorkloadOptions& options) : options_(options), status_(options.status) {
  const auto wants = [this](const char* part) { return Wants(part); };
  constexpr std::array kReaders = {"constant", "direct", "overwrite", "uring", "uring-fixed"};
  if (std::ranges::any_of(kReaders, wants)) {
    file_.emplace(options_.scratch, kFilePages, options_.seed);
  }
  AddWriters();
  AddMemoryParts();
  AddReaders();
  AddTicketWriters();
  if (threads_.empty()) {
    errno = ENOTSUP;
    FailCall("workload", "none of the parts asked for can run here");
  }
}

void Workload::Add(const char* part, double rate, std::unique_ptr<Activity> activity, double phase,
                   bool measured) {
  const bool first = threads_.empty();
  const bool corrupts = options_.corrupt_part.empty() ? first : options_.corrupt_part == part;
  threads_.push_back(std::make_unique<ActivityThread>(
      ActivityThread::Plan{.name = part,
                           .rate = rate,
                           .phase = phase,
                           .measured = measured,
                           .corrupt_after = corrupts ? options_.corrupt_after : 0},
      std::move(activity), status_.Add(part)));
}

void Workload::AddWriters() {
  const bool random = Wants("random");
  const bool sequential = Wants("sequential");
  if (!random && !sequential) return;
  const size_t threads = options_.threads;
  const size_t pages_each = std::max<size_t>(16, ToPages(options_.memory).count / threads);
  arena_ = MappedMemory::Anonymous(pages_each * threads * kPageBytes);
  for (size_t i = 0; i < threads; ++i) {
    std::byte* memory = arena_.data() + i * pages_each * kPageBytes;
    const double rate = options_.rate / static_cast<double>(threads);
    const double phase = static_cast<double>(i) / static_cast<double>(threads);
    const uint64_t seed = options_.seed + 1000 + i;
    if (random && (i % 2 == 0 || !sequential)) {
      Add("random", rate, std::make_unique<RandomWriter>(memory, pages_each, seed), phase, true);
    } else {
      Add("sequential", rate, std::make_unique<SequentialWriter>(memory, pages_each, seed), phase,
          true);
    }
  }
}

void Workload::AddMemoryParts() {
  const uint64_t seed = options_.seed;
  // A small workload has small parts.
  const size_t pages = std::clamp<size_t>(ToPages(options_.memory).count / 32, 64, 4096);
  if (Wants("churn")) {
    Add("churn", options_.churn_rate, std::make_unique<MallocChurn>(options_.churn, seed + 1));
  }
  if (Wants("remap")) Add("remap", kMemoryPartRate, std::make_unique<Remapper>(pages, seed + 2));
  if (Wants("protect")) {
    Add("protect", kMemoryPartRate, std::make_unique<Protector>(pages, seed + 3));
  }
  if (Wants("discard")) {
    Add("discard", kMemoryPartRate, std::make_unique<Discarder>(pages, seed + 4));
  }
  if (Wants("shared")) {
    Add("shared", kMemoryPartRate, std::make_unique<SharedWriter>(pages, seed + 5));
  }
  if (Wants("constant")) {
    Add("constant", kConstantRate,
        std::make_unique<ConstantPages>(std::min(pages, kFilePages), *file_, seed + 7));
  }
  if (Wants("overwrite")) {
    // Enough to be worth the watching of its mapping.
    Add("overwrite", kMemoryPartRate,
        std::make_unique<FileOverwriter>(std::clamp<size_t>(pages, 512, kFilePages), *file_,
                                         seed + 8));
  }
  if (Wants("threads")) Add("threads", kThreadRate, std::make_unique<ThreadChurn>(64, seed + 9));
  if (Wants("spawn")) Add("spawn", kSpawnRate, std::make_unique<Spawner>(seed + 10));
}

void Workload::AddReaders() {
  const uint64_t seed = options_.seed;
  if (Wants("direct")) {
    if (UniqueFd direct = file_->OpenDirect()) {
      Add("direct", kReaderRate,
          std::make_unique<DirectReader>(32, *file_, std::move(direct), seed + 11));
    } else {
      missing_.push_back("direct");
    }
  }
  AddUringReader("uring", UringReader::Buffers::kPlain, seed + 12);
  AddUringReader("uring-fixed", UringReader::Buffers::kRegistered, seed + 13);
}

void Workload::AddUringReader(const char* name, UringReader::Buffers kind, uint64_t seed) {
  if (!Wants(name)) return;
  auto ring = Uring::Create();
  auto reader = ring ? UringReader::Create(kind, 32, *file_, std::move(ring), seed) : nullptr;
  if (reader) {
    Add(name, kReaderRate, std::move(reader));
  } else {
    missing_.push_back(name);
  }
}

void Workload::AddTicketWriters() {
  if (!Wants("tickets")) return;
  tickets_ = std::make_shared<TicketBoard>(options_.threads, options_.ticket_pages);
  const double rate = options_.rate / static_cast<double>(options_.threads);
  for (size_t i = 0; i < options_.threads; ++i) {
    Add("tickets", rate, std::make_unique<TicketWriter>(tickets_, i));
  }
}

void Workload::Start() {
  prepared_.emplace(static_cast<ptrdiff_t>(threads_.size()) + 1);
  for (auto& thread : threads_) thread->Start(*prepared_);
  prepared_->arrive_and_wait();
}

void Workload::Finish() {
  for (auto& thread : threads_) thread->Stop();
  for (auto& thread : threads_) thread->Join();
  for (auto& thread : threads_) thread->CheckAll();
}

std::string Workload::Describe() const {
  const auto arena = reinterpret_cast<uint64_t>(arena_.data());
  nlohmann::json json = {{"pid", getpid()},
                         {"arena", {{"begin", arena}, {"end", arena + arena_.size()}}},
                         {"parts", options_.parts},
                         {"missing", missing_}};
  if (tickets_) {
    const TicketLayout& layout = tickets_->layout();
    json["tickets"] = {
        {"address", layout.address.value}, {"writers", layout.writers}, {"slots", layout.slots}};
  }
  return json.dump();
}

std::string Workload::Report() const {
  std::vector<const LatencyHistogram*> histograms;
  nlohmann::json steps = nlohmann::json::object();
  for (const auto& thread : threads_) {
    if (thread->plan().measured) histograms.push_back(&thread->latencies());
    const std::string& name = thread->plan().name;
    steps[name] = steps.value(name, uint64_t{0}) + thread->status().steps.load();
  }
  const LatencyReport report = Summarise(histograms);
  const nlohmann::json json = {{"schema", 1},
                               {"writes", report.count},
                               {"over_5ms", report.over_5ms},
                               {"latency_us",
                                {{"p50", Microseconds(report.p50)},
                                 {"p90", Microseconds(report.p90)},
                                 {"p99", Microseconds(report.p99)},
                                 {"p999", Microseconds(report.p999)},
                                 {"max", Microseconds(report.max)}}},
                               {"steps", steps}};
  return json.dump();
}

}  // namespace stillframe::evaluate
