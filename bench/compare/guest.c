// A guest without an operating system: writes WRITES_PER_SECOND words a second to random pages of
// 1 GiB and notes how much later than intended each was done, by the time stamp counter.
//
// It prints nothing: whoever wants to know reads the log at LOG_ADDRESS in the guest's memory. An
// exit to the hypervisor for each write would be measured as well. How fast its clock runs it is
// told the same way: a hypervisor that emulates much has no timer to be trusted.
#include <stdint.h>

enum {
  WRITES_PER_SECOND = 2000,
  LOG_ADDRESS = 16 << 20,
  LOG_ENTRIES = 1 << 19,  // the newest ones; 260 s
  FILL_FROM = 32 << 20,
  FILL_TO = 2046 << 20,
  WRITE_FROM = 512 << 20,
  WRITE_PAGES = 1 << 18,  // 1 GiB
  PAGE = 4096,
};

struct Log {
  uint64_t magic;             // set when all memory is filled
  uint64_t now;               // ticks, until it is told how many of them a second has
  uint64_t ticks_per_second;  // told from outside; then it begins
  uint64_t count;             // of writes done
  uint64_t entries;
  struct {
    uint64_t intended;  // ticks
    uint64_t late;      // ticks
  } write[LOG_ENTRIES];
};
#define LOG ((volatile struct Log*)(uintptr_t)LOG_ADDRESS)
#define LOG_MAGIC 0x474f4c454d415246ull  // "FRAMELOG"

static inline uint64_t Ticks(void) {
  uint32_t low, high;
  __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}

// No page zero, no two alike.
static void Fill(void) {
  for (uint32_t page = FILL_FROM; page < (uint32_t)FILL_TO; page += PAGE) {
    volatile uint32_t* words = (volatile uint32_t*)(uintptr_t)page;
    for (int i = 0; i < PAGE / 4; ++i) words[i] = page * 2654435761u + (uint32_t)i + 1;
  }
}

static uint32_t NextRandom(uint32_t x) {
  x ^= x << 13;
  x ^= x >> 17;
  return x ^ (x << 5);
}

void Main(void) {
  Fill();
  for (uint32_t i = 0; i < LOG_ENTRIES; ++i) LOG->write[i].late = 0;
  LOG->count = 0;
  LOG->ticks_per_second = 0;
  LOG->entries = LOG_ENTRIES;
  LOG->now = Ticks();
  LOG->magic = LOG_MAGIC;
  while (LOG->ticks_per_second == 0) LOG->now = Ticks();
  const uint64_t interval = LOG->ticks_per_second / WRITES_PER_SECOND;
  uint32_t random = 1;
  uint64_t due = Ticks();
  for (uint32_t count = 0;; ++count) {
    due += interval;
    while (Ticks() < due) __asm__ volatile("pause");
    random = NextRandom(random);
    ++*(volatile uint32_t*)(uintptr_t)(WRITE_FROM + (random % WRITE_PAGES) * PAGE);
    const uint64_t late = Ticks() - due;
    LOG->write[count % LOG_ENTRIES].intended = due;
    LOG->write[count % LOG_ENTRIES].late = late;
    LOG->count = (uint64_t)count + 1;
  }
}

// The boot loader starts it in 32-bit mode without paging, which some hypervisors can only emulate,
// an instruction at a time; and so they do with the kernel mode of any guest that they don't know.
// So it goes on to 64-bit mode and then to user mode, the first 4 GiB mapped as they are.
__asm__(
    ".section .multiboot, \"a\"\n"
    ".align 4\n"
    ".long 0x1badb002, 0, -0x1badb002\n"
    ".text\n"
    ".code32\n"
    ".global Start\n"
    "Start:\n"
    "  cli\n"
    "  movl $Directories + 7, Top\n"
    "  movl $0, %ecx\n"
    "1: movl %ecx, %eax\n"  // the four directories
    "  shll $12, %eax\n"
    "  addl $Tables + 7, %eax\n"
    "  movl %eax, Directories(,%ecx,8)\n"
    "  incl %ecx\n"
    "  cmpl $4, %ecx\n"
    "  jne 1b\n"
    "  movl $0, %ecx\n"
    "2: movl %ecx, %eax\n"  // 2,048 pages of 2 MiB: present, writable, for user mode, accessed,
                            // dirty, large
    "  shll $21, %eax\n"
    "  orl $0xe7, %eax\n"
    "  movl %eax, Tables(,%ecx,8)\n"
    "  incl %ecx\n"
    "  cmpl $2048, %ecx\n"
    "  jne 2b\n"
    "  movl $Top, %eax\n"
    "  movl %eax, %cr3\n"
    "  movl %cr4, %eax\n"
    "  orl $0x20, %eax\n"  // PAE
    "  movl %eax, %cr4\n"
    "  movl $0xc0000080, %ecx\n"  // EFER: long mode
    "  rdmsr\n"
    "  orl $0x100, %eax\n"
    "  wrmsr\n"
    "  movl %cr0, %eax\n"
    "  orl $0x80000000, %eax\n"
    "  movl %eax, %cr0\n"
    "  lgdt GdtPointer\n"
    "  ljmp $8, $Start64\n"
    ".code64\n"
    "Start64:\n"
    "  movl $16, %eax\n"
    "  movl %eax, %ds\n"
    "  movl %eax, %es\n"
    "  movl %eax, %ss\n"
    "  movq $Stack + 16384, %rsp\n"
    "  pushq $0x1b\n"  // ss
    "  pushq $Stack + 16384 - 8\n"
    "  pushq $2\n"     // flags: no interrupts
    "  pushq $0x23\n"  // cs
    "  pushq $Main\n"
    "  iretq\n"
    ".align 8\n"
    "Gdt: .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff, 0x00cff2000000ffff, 0x00affa000000ffff\n"
    "GdtPointer: .short 39\n"
    "  .long Gdt\n"
    ".bss\n"
    ".align 4096\n"
    "Top: .skip 4096\n"
    "Directories: .skip 4096\n"
    "Tables: .skip 16384\n"
    "Stack: .skip 16384\n"
    ".text\n");
