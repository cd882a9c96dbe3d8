#include "attach_hold_registers.h"

// Fills every general register but the stack pointer, the flags and two vector registers, spins for
// a while, and looks whether they still hold what they did. Returns 0 when they do.
asm(R"(
  .pushsection .data
  .balign 16
hold_table:
  .quad 0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444
  .quad 0x5555555555555555, 0x6666666666666666, 0x7777777777777777, 0x8888888888888888
  .quad 0x9999999999999999, 0xaaaaaaaaaaaaaaaa, 0xbbbbbbbbbbbbbbbb, 0xcccccccccccccccc
  .quad 0xdddddddddddddddd, 0xeeeeeeeeeeeeeeee, 0x1212121212121212
hold_count:
  .quad 0
  .popsection
  .globl HoldRegisters
  .type HoldRegisters, @function
HoldRegisters:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rdi, hold_count(%rip)
  mov hold_table+0(%rip), %rax
  mov hold_table+8(%rip), %rbx
  mov hold_table+16(%rip), %rcx
  mov hold_table+24(%rip), %rdx
  mov hold_table+32(%rip), %rsi
  mov hold_table+40(%rip), %rdi
  mov hold_table+48(%rip), %rbp
  mov hold_table+56(%rip), %r8
  mov hold_table+64(%rip), %r9
  mov hold_table+72(%rip), %r10
  mov hold_table+80(%rip), %r11
  mov hold_table+88(%rip), %r12
  mov hold_table+96(%rip), %r13
  mov hold_table+104(%rip), %r14
  mov hold_table+112(%rip), %r15
  movdqa hold_table+0(%rip), %xmm0
  movdqa hold_table+16(%rip), %xmm15
1:
  decq hold_count(%rip)
  jnz 1b
  cmp hold_table+0(%rip), %rax
  jne 2f
  cmp hold_table+8(%rip), %rbx
  jne 2f
  cmp hold_table+16(%rip), %rcx
  jne 2f
  cmp hold_table+24(%rip), %rdx
  jne 2f
  cmp hold_table+32(%rip), %rsi
  jne 2f
  cmp hold_table+40(%rip), %rdi
  jne 2f
  cmp hold_table+48(%rip), %rbp
  jne 2f
  cmp hold_table+56(%rip), %r8
  jne 2f
  cmp hold_table+64(%rip), %r9
  jne 2f
  cmp hold_table+72(%rip), %r10
  jne 2f
  cmp hold_table+80(%rip), %r11
  jne 2f
  cmp hold_table+88(%rip), %r12
  jne 2f
  cmp hold_table+96(%rip), %r13
  jne 2f
  cmp hold_table+104(%rip), %r14
  jne 2f
  cmp hold_table+112(%rip), %r15
  jne 2f
  pcmpeqb hold_table+0(%rip), %xmm0
  pmovmskb %xmm0, %eax
  cmp $0xffff, %eax
  jne 2f
  pcmpeqb hold_table+16(%rip), %xmm15
  pmovmskb %xmm15, %eax
  cmp $0xffff, %eax
  jne 2f
  xor %eax, %eax
  jmp 3f
2:
  mov $1, %eax
3:
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
  .size HoldRegisters, . - HoldRegisters
)");
