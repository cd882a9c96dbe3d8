// A program of somebody else: makes an image without any target, reads it back, and takes every
// part of the library along.
#include <stillframe/stillframe.h>

#include <cstdio>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto sink = stillframe::CreateImage({.path = argv[1]});
  if (!sink) return 3;
  const stillframe::AddressRange range = {{0x10000}, {0x12000}};
  const std::vector<std::byte> page(stillframe::kPageSize.count, std::byte{7});
  if (!(*sink)->Write(range.begin, page, stillframe::PageSource::kScanned)) return 4;
  if (!(*sink)->Zero({{0x11000}, range.end})) return 5;
  stillframe::ImageMetadata metadata;
  stillframe::Mapping mapping;
  mapping.range = range;
  metadata.mappings = {{mapping, range}};
  if (!(*sink)->Finish(metadata)) return 6;

  const auto image = stillframe::ImageReader::Open(argv[1]);
  std::byte byte{};
  if (!image || !(*image)->Read({0x10fff}, {&byte, 1}) || byte != std::byte{7}) return 7;
  // The rest of the library has to link: a process that can't be.
  const auto summary = stillframe::SaveProcess(-1, {.path = "/dev/null"});
  if (summary) return 8;
  std::printf("%s ok\n", STILLFRAME_VERSION);
  return 0;
}
