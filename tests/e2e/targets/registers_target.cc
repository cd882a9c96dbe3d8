// Threads that hold known values in every register, beside one that writes all kinds of memory:
// registers_target SPINNERS MIB
//
// Each of SPINNERS threads counts in rax and stores the count on its stack, so that register and
// memory tell of one and the same instant. The writer writes MIB MiB of private, shared and file
// memory, page by page in no order. Prints "ready COUNT STORE JUMP AVX" when all of them count: the
// addresses of the three instructions of the loop, and whether ymm registers are held (1) or xmm
// registers only (0).
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "targets/held_registers.h"

// Does not return. rdi: what to hold; esi: whether there are ymm registers; rdx: gets the address
// of the count when all registers but rax are as they stay.
extern "C" [[noreturn]] void HoldForever(const stillframe::test::HeldRegisters* held, int avx,
                                         std::atomic<const std::atomic<uint64_t>*>* count);
extern "C" const char held_count[];
extern "C" const char held_store[];
extern "C" const char held_jump[];

asm(R"(
  .pushsection .text
  .globl HoldForever, held_count, held_store, held_jump
  .type HoldForever, @function
HoldForever:
  mov %rdx, %rax
  ldmxcsr 624(%rdi)
  test %esi, %esi
  jz 1f
  vmovdqu 112(%rdi), %ymm0
  vmovdqu 144(%rdi), %ymm1
  vmovdqu 176(%rdi), %ymm2
  vmovdqu 208(%rdi), %ymm3
  vmovdqu 240(%rdi), %ymm4
  vmovdqu 272(%rdi), %ymm5
  vmovdqu 304(%rdi), %ymm6
  vmovdqu 336(%rdi), %ymm7
  vmovdqu 368(%rdi), %ymm8
  vmovdqu 400(%rdi), %ymm9
  vmovdqu 432(%rdi), %ymm10
  vmovdqu 464(%rdi), %ymm11
  vmovdqu 496(%rdi), %ymm12
  vmovdqu 528(%rdi), %ymm13
  vmovdqu 560(%rdi), %ymm14
  vmovdqu 592(%rdi), %ymm15
  jmp 2f
1:
  movdqu 112(%rdi), %xmm0
  movdqu 144(%rdi), %xmm1
  movdqu 176(%rdi), %xmm2
  movdqu 208(%rdi), %xmm3
  movdqu 240(%rdi), %xmm4
  movdqu 272(%rdi), %xmm5
  movdqu 304(%rdi), %xmm6
  movdqu 336(%rdi), %xmm7
  movdqu 368(%rdi), %xmm8
  movdqu 400(%rdi), %xmm9
  movdqu 432(%rdi), %xmm10
  movdqu 464(%rdi), %xmm11
  movdqu 496(%rdi), %xmm12
  movdqu 528(%rdi), %xmm13
  movdqu 560(%rdi), %xmm14
  movdqu 592(%rdi), %xmm15
2:
  mov 0(%rdi), %rbx
  mov 8(%rdi), %rcx
  mov 16(%rdi), %rdx
  mov 24(%rdi), %rsi
  mov 40(%rdi), %rbp
  mov 48(%rdi), %r8
  mov 56(%rdi), %r9
  mov 64(%rdi), %r10
  mov 72(%rdi), %r11
  mov 80(%rdi), %r12
  mov 88(%rdi), %r13
  mov 96(%rdi), %r14
  mov 104(%rdi), %r15
  mov 32(%rdi), %rdi
  pushq $0
  mov %rsp, (%rax)
  xor %eax, %eax
held_count:
  inc %rax
held_store:
  mov %rax, (%rsp)
held_jump:
  jmp held_count
  .size HoldForever, . - HoldForever
  .popsection
)");

namespace {

constexpr size_t kPage = 4096;

char* Map(size_t size, int flags, int fd) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (memory == MAP_FAILED) std::exit(1);
  return static_cast<char*>(memory);
}

int MakeFile(size_t size) {
  const int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, static_cast<off_t>(size)) != 0) std::exit(1);
  return fd;
}

[[noreturn]] void WriteForever(const std::vector<char*>& kinds, size_t size) {
  std::minstd_rand random(1);
  for (uint64_t turn = 1;; ++turn) {
    char* page = kinds[random() % kinds.size()] + random() % (size / kPage) * kPage;
    std::memcpy(page + random() % (kPage - sizeof(turn)), &turn, sizeof(turn));
  }
}

// Whether this thread is in its loop: it has stored a count.
bool Counts(const std::atomic<const std::atomic<uint64_t>*>& place) {
  const std::atomic<uint64_t>* count = place;
  return count != nullptr && *count != 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const size_t spinners = std::strtoul(argv[1], nullptr, 10);
  const size_t size = std::strtoul(argv[2], nullptr, 10) << 20;
  const std::vector<char*> kinds = {Map(size, MAP_PRIVATE | MAP_ANONYMOUS, -1),
                                    Map(size / 8, MAP_SHARED | MAP_ANONYMOUS, -1),
                                    Map(size / 8, MAP_PRIVATE, MakeFile(size / 8))};
  std::memset(kinds[0] + size / 2, 1, size / 2);
  const int avx = __builtin_cpu_supports("avx") ? 1 : 0;
  std::vector<stillframe::test::HeldRegisters> held;
  for (size_t i = 0; i < spinners; ++i) held.push_back(stillframe::test::HeldBy(i));
  std::vector<std::thread> threads;
  std::vector<std::atomic<const std::atomic<uint64_t>*>> counts(spinners);
  for (size_t i = 0; i < spinners; ++i) {
    threads.emplace_back([&, i] { HoldForever(&held[i], avx, &counts[i]); });
  }
  threads.emplace_back([&] { WriteForever(kinds, size / 8); });
  while (!std::all_of(counts.begin(), counts.end(), Counts)) usleep(1000);
  std::printf("ready %zu %zu %zu %d\n", reinterpret_cast<size_t>(held_count),
              reinterpret_cast<size_t>(held_store), reinterpret_cast<size_t>(held_jump), avx);
  std::fflush(stdout);
  for (;;) pause();
}
