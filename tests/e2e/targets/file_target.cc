// A target whose memory is private mappings of files, written at full speed and changed in every
// way: file_target WRITERS MIB [still]
//
// Each of WRITERS threads writes pages of a mapping of MIB MiB, and now and then gives some back so
// that they show the file again. One more thread maps, moves, splits and unmaps mappings of its
// own, cuts off the file behind one of them and makes it long again, and writes into it. "still":
// no thread does anything. Prints "ready" when all memory is written, then a dot now and then.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kChangedPages = 1024;

int MakeFile(size_t pages) {
  const int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  std::vector<char> page(kPage, 'f');
  for (size_t i = 0; fd >= 0 && i < pages; ++i) {
    if (write(fd, page.data(), kPage) != static_cast<ssize_t>(kPage)) std::exit(1);
  }
  if (fd < 0) std::exit(1);
  return fd;
}

char* MapFile(int fd, size_t pages, void* at = nullptr) {
  void* memory = mmap(at, pages * kPage, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | (at != nullptr ? MAP_FIXED : 0), fd, 0);
  if (memory == MAP_FAILED) std::exit(1);
  return static_cast<char*>(memory);
}

void WriteAll(char* memory, size_t pages, unsigned seed) {
  for (size_t i = 0; i < pages; ++i)
    std::memset(memory + i * kPage, static_cast<int>(seed + i), 64);
}

class Writer {
 public:
  Writer(size_t pages, unsigned seed)
      : pages_(pages), memory_(MapFile(MakeFile(pages), pages)), random_(seed) {
    WriteAll(memory_, pages, seed);
  }
  void Run() {
    for (unsigned turn = 0;; ++turn) {
      char* page = memory_ + random_() % (pages_ - 16) * kPage;
      if (turn % 512 == 0) {
        madvise(page, (1 + random_() % 16) * kPage, MADV_DONTNEED);
      } else {
        std::memcpy(page + turn % (kPage - sizeof(turn)), &turn, sizeof(turn));
      }
    }
  }

 private:
  size_t pages_;
  char* memory_;
  std::minstd_rand random_;
};

// Pages go one by one, and are read, so that they show the file, but not written for a long time:
// from the front by a discard, from the end because the file is cut off there.
class Wearer {
 public:
  Wearer() : file_(MakeFile(kWornPages)), memory_(MapFile(file_, kWornPages)) { Renew(); }
  void Step() {
    if (front_ >= end_) return Renew();
    if (front_ % 2 == 0) {
      char* page = memory_ + front_ * kPage;
      madvise(page, kPage, MADV_DONTNEED);
      Read(page);
      ++front_;
    } else {
      --end_;
      constexpr auto kAll = static_cast<off_t>(kWornPages * kPage);
      if (ftruncate(file_, static_cast<off_t>(end_ * kPage)) != 0 || ftruncate(file_, kAll) != 0) {
        std::exit(1);
      }
      Read(memory_ + end_ * kPage);
      if (end_ % 2 == 0) ++front_;
    }
  }

 private:
  static constexpr size_t kWornPages = 4096;

  static void Read(const volatile char* page) { static_cast<void>(*page); }
  void Renew() {
    front_ = 0;
    end_ = kWornPages;
    WriteAll(memory_, kWornPages, 5);
  }

  int file_;
  char* memory_;
  size_t front_ = 0;
  size_t end_ = 0;
};

// All that is done to whole mappings; each step leaves both where they were, with pages written.
class Changer {
 public:
  Changer()
      : cut_file_(MakeFile(kChangedPages)),
        cut_(MapFile(cut_file_, kChangedPages)),
        moved_file_(MakeFile(kChangedPages)),
        moved_(MapFile(moved_file_, kChangedPages)) {
    WriteAll(cut_, kChangedPages, 1);
    WriteAll(moved_, kChangedPages, 2);
  }
  void Run() {
    for (unsigned turn = 1;; ++turn) {
      Step(turn);
      worn_.Step();
      if (turn % 32 == 0 && write(STDOUT_FILENO, ".", 1) != 1) std::exit(1);
      usleep(500);
    }
  }

 private:
  static constexpr size_t kSize = kChangedPages * kPage;

  void Step(unsigned turn) {
    switch (turn % 7) {
      case 0:
        Cut();
        break;
      case 1:
        Move();
        break;
      case 2:  // another one in its place
        moved_ = MapFile(moved_file_, kChangedPages, moved_);
        WriteAll(moved_, kChangedPages / 2, turn);
        break;
      case 3:
        munmap(moved_, kSize);
        moved_ = MapFile(moved_file_, kChangedPages);
        WriteAll(moved_, kChangedPages, turn);
        break;
      case 4:  // a hole, then anonymous memory in the middle
        Replace(turn);
        break;
      case 5:  // split, and one again
        mprotect(moved_ + kSize / 4, kSize / 4, PROT_READ);
        mprotect(moved_ + kSize / 4, kSize / 4, PROT_READ | PROT_WRITE);
        WriteAll(moved_, kChangedPages, turn);
        break;
      default:  // seen through the pages that were not written
        if (pwrite(cut_file_, "xyz", 3, static_cast<off_t>(turn % kChangedPages * kPage)) != 3) {
          std::exit(1);
        }
        WriteAll(cut_ + kSize / 2, kChangedPages / 4, turn);
    }
  }
  // What was written goes too, and does not come again: the pages show the file.
  void Cut() {
    const off_t half = static_cast<off_t>(kSize / 2);
    if (ftruncate(cut_file_, half) != 0 || ftruncate(cut_file_, 2 * half) != 0) std::exit(1);
    volatile char sum = 0;
    for (size_t i = kChangedPages / 2; i < kChangedPages; i += 2) sum = cut_[i * kPage];
    static_cast<void>(sum);
  }
  void Move() {
    void* to = mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // Refused while the mapping is being let go of in steps, as docs/limits.md says.
    void* moved = mremap(moved_, kSize, kSize, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    if (moved != MAP_FAILED) moved_ = static_cast<char*>(moved);
    WriteAll(moved_, kChangedPages / 4, 9);
  }
  void Replace(unsigned turn) {
    char* middle = moved_ + kSize / 4;
    munmap(middle, kSize / 4);
    mmap(middle, kSize / 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    WriteAll(middle, kChangedPages / 4, turn);
    moved_ = MapFile(moved_file_, kChangedPages, moved_);
    WriteAll(moved_, kChangedPages, turn);
  }

  Wearer worn_;
  int cut_file_;
  char* cut_;
  int moved_file_;
  char* moved_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const size_t writers = std::strtoul(argv[1], nullptr, 10);
  const size_t pages = std::strtoul(argv[2], nullptr, 10) * 256;
  std::vector<Writer> writing;
  for (size_t i = 0; i < writers; ++i) writing.emplace_back(pages, static_cast<unsigned>(i + 3));
  Changer changer;
  std::puts("ready");
  std::fflush(stdout);
  if (argc > 3 && std::string_view(argv[3]) == "still") pause();
  std::vector<std::thread> threads;
  for (Writer& writer : writing) threads.emplace_back([&writer] { writer.Run(); });
  changer.Run();
}
