// Reads an image: what was saved, and the first bytes of each mapping. read_image IMAGE
#include <stillframe/stillframe.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace {

const char* NameOf(stillframe::PageKind kind) {
  switch (kind) {
    case stillframe::PageKind::kData:
      return "data";
    case stillframe::PageKind::kZero:
      return "zero";
    case stillframe::PageKind::kLost:
      return "lost";
    case stillframe::PageKind::kFreed:
      return "freed";
  }
  return "?";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: read_image IMAGE\n");
    return 2;
  }
  const auto image = stillframe::ImageReader::Open(argv[1]);
  if (!image) {
    std::fprintf(stderr, "%s\n", image.error().message.c_str());
    return 1;
  }
  const stillframe::ImageMetadata& metadata = (*image)->metadata();
  std::printf("process %d (%s), %zu threads\n", metadata.process.pid,
              metadata.process.executable.c_str(), metadata.process.threads.size());
  for (const stillframe::SavedMapping& saved : metadata.mappings) {
    const auto runs = (*image)->Runs(saved.saved);
    if (runs.empty()) continue;
    std::array<std::byte, 4> bytes = {};
    const auto begin = saved.saved.begin;
    // A page that was lost can't be read; everything else can.
    const bool read = (*image)->Read(begin, bytes).has_value();
    std::printf("%llx %s %zu runs, first %s:", static_cast<unsigned long long>(begin.value),
                saved.mapping.name.c_str(), runs.size(), NameOf(runs.front().kind));
    for (const std::byte byte : bytes) {
      if (read) std::printf(" %02x", std::to_integer<unsigned>(byte));
    }
    std::printf("\n");
  }
  // Every checksum of the file, not only of what was read.
  const auto verified = (*image)->Verify();
  std::printf("%s\n", verified ? "verified" : verified.error().message.c_str());
  return verified ? 0 : 1;
}
