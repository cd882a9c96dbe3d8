// Saves another process by its pid while it keeps running: save_process PID IMAGE
#include <stillframe/stillframe.h>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: save_process PID IMAGE\n");
    return 2;
  }
  stillframe::SaveOptions options;
  options.max_bandwidth = stillframe::MiB(500);  // per second
  options.max_stall = std::chrono::milliseconds(500);

  const auto summary =
      stillframe::SaveProcess(std::atoi(argv[1]), {.path = argv[2]}, std::move(options));
  if (!summary) {
    std::fprintf(stderr, "%s\n%s\n", summary.error().message.c_str(), summary.error().hint.c_str());
    return 1;
  }
  std::printf("saved %llu pages, paused for %lld us, %llu pages lost\n",
              static_cast<unsigned long long>(summary->total.count),
              static_cast<long long>(summary->pause.count() / 1000),
              static_cast<unsigned long long>(summary->pages.lost.count));
  return 0;
}
