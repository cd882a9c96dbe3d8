// Very many mappings: many_mappings_target COUNT
//
// Pages of one range whose protections take turns, so that no two neighbours are one mapping. One
// page in 16 has something written: its own number, twice, at its beginning. Prints "ready BEGIN
// COUNT", or "limit" where the system does not allow so many.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kPage = 4096, kWritten = 64 };

int main(int argc, char** argv) {
  const size_t count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
  if (count == 0) return 2;
  char* memory = mmap(NULL, count * kPage, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return 1;
  for (size_t i = 0; i < count; i += kWritten) {
    uint64_t* page = (uint64_t*)(memory + i * kPage);
    page[0] = i;
    page[1] = i;
  }
  for (size_t i = 1; i < count; i += 2) {
    if (mprotect(memory + i * kPage, kPage, PROT_READ) != 0) {
      puts("limit");
      return 1;
    }
  }
  printf("ready %lu %zu\n", (unsigned long)(uintptr_t)memory, count);
  fflush(stdout);
  pause();
  return 0;
}
