// Writes an ELF core of another process while it keeps running: core_of_process PID CORE
#include <stillframe/stillframe.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace {

using stillframe::Result;
using stillframe::SaveSummary;

// A core is a sink like any other: the session neither knows nor cares what it saves to.
Result<SaveSummary> SaveCore(pid_t pid, const char* path) {
  stillframe::SaveOptions options;
  STILLFRAME_ASSIGN(auto sink, stillframe::CreateCore({.path = path}));
  STILLFRAME_ASSIGN(auto target,
                    stillframe::AttachProcess(pid, stillframe::AttachOptionsFor(options.via)));
  STILLFRAME_ASSIGN(auto session,
                    stillframe::SaveSession::Create(std::move(target), std::move(sink), options));
  return session->Run();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: core_of_process PID CORE\n");
    return 2;
  }
  const auto summary = SaveCore(std::atoi(argv[1]), argv[2]);
  if (!summary) {
    std::fprintf(stderr, "%s\n%s\n", summary.error().message.c_str(), summary.error().hint.c_str());
    return 1;
  }
  std::printf("paused for %lld us\n", static_cast<long long>(summary->pause.count() / 1000));
  return 0;
}
